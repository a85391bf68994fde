"""How nodes talk: witnesses cosign, parents mirror and anchor, hours travel by proof. Knows no store and no web."""
