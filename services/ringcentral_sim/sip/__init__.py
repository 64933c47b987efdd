"""The telephony side of the simulator: registrar, supervise calls, RTP. Pure state machines under a thin shell.

Shell: `server` routes messages between `transport` flows, the `registrar` and the `leg`s; `media` sends audio.
Pure: `call` (INVITE, CANCEL, BYE), `dialog` (request bytes), `registrar`, `digest`, `sdp`, `messages`, `rtp`, `g711`.
"""
