"""Open-loop client load with a ledger: web, IMAP and SMTP clients that talk to the proxy's frontends only.

The load decides nothing about the switch. It writes down what it was told (`ledger`), measures what its clients
felt (`stats`) and afterwards looks for each acknowledged write on the serving side (`check`).
"""
