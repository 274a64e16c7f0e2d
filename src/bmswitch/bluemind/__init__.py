"""REST client of one BlueMind installation."""
