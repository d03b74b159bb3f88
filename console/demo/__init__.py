"""The demo world: a shop behind the gate, the agents that work in it, the people who answer for them."""
