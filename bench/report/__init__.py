"""Tables, figures and leaderboard of a results folder. Needs neither torch nor the methods, so a laptop is enough."""
