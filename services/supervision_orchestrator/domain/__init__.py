"""Whom to supervise, when, and what became of it: pure functions over frozen values.

`decide.decide` is the only way in. It takes a call's state, one input and the time, and gives the new state and the
effects that the shell is to carry out. Timers need no effect: `call.next_due` reads them from the state.
"""
