"""How telephone talk is written: "forty two dollars" as "$42", "N, O, V, A, K" as "NOVAK".

It works on words that the redaction has passed, so it cannot show what is hidden; marks are left alone. A rule reads
words from the left and says what it makes of those at its place. Where it would have had to look past the last word of
a partial, the partial ends: what has been written stays as it is however the speech goes on.
"""
