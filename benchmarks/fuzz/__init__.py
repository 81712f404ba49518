"""Valid deliveries of the phantom study, what can go wrong with them, and what must hold all the same."""
