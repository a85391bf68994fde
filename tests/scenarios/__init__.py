"""Scenarios: small ledgers as texts, with the outcome of every line as its last column.

    given   posting_days=3 overdraft_minutes=60
    people  wang: volunteer phone    li: elder redeemable kin-of-wang

    2026-03-01 09:00  clerk+m1   s1: service wang -> li 60 recipient start=-90m      | ok
    2026-03-01 20:00  seal
    2026-03-02 09:00  m1+m2      reverse s1                                          | ok
    balance wang 0 held 0

A file holds several, each after a line ``== title``. ``given`` sets parameters that differ from the defaults.
``people`` opens accounts by clerk and member (with two authorities where somebody is funded): flags and fields of
``account_open``, ``kin-of-X``, and ``phone`` for a key of his own under his name. Names stand for keys and accounts
alike, and always give the same ones; eight digits stand for themselves.

A dated line is what is submitted when the node's clock shows that time (UTC): the author, after ``+`` those beside
him, a label for later lines, the kind, its main fields in order (``script.FIELDS``), flags, and any field as
``name=value`` (dotted for nested ones, ``name=`` to leave it out). A time is ``2026-03-01T09:00``, or ``-90m`` ``+2h``
``-31d`` from the line's. ``at=`` and ``seq=`` change the statement itself. A refusal is a rule's outcome or the code of
a finding.

A label stands for its entry where a field is an index: ``reverse s1``, ``case_close c1 upheld``, ``case_open wang ring
s1,s2``. A label before ``coupon_issue`` names the book, and ``coupon=b1/3`` is its coupon 3 as evidence of a service;
findings are ``stairs:2026-04-01`` or ``none``. A ``risk`` line has the figures that the ledger gives, but for those it
names; ``figures`` says some of them by hand, ``public`` who stands on the public list.

A scenario may have several ledgers: ``ledger east village under town`` begins one, of that tier, with that parent or
none, and what follows is said there; ``ledger east`` goes back to it. The first is ``village``, without a parent. A
name stands for the origin ``east.example/huzhu`` and for the key of its node. Proofs are handed over by label:
``proof=east/t1 admissions=town/a1`` (signed anew under the newest checkpoint of each), ``checkpoint=east/7`` is that of
7 entries; ``!`` after one makes its signature wrong, ``+`` puts it there twice.

Where nothing else is said genesis comes by itself: clerk, m1 to m3, a1 and a2, threshold 2. ``reopen`` takes the node
up again from its store. Each scenario ends with the full audit, which must be clean.
"""
