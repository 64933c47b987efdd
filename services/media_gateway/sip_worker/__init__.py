"""The SIP worker: one process a device, the only code that loads pjsua2 (GPL v2).

It meets the rest of the product over a socket pair, in the lines of `domain/sip_link.py`.
"""
