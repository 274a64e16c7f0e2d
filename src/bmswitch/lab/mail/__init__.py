r"""IMAP and SMTP in front of a stand-in installation.

What they are: enough IMAP4rev1 (with IDLE, UIDPLUS) and SMTP for real clients and for the switch. What they are not:
no TLS, no quota, no SEARCH beyond what Twisted does by itself, and fetching a body does not set `\Seen`.
"""
