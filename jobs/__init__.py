"""One photo's way from accepted to delivered: its states, who works on it when, and how the result reaches its chat."""
