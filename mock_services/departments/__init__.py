"""Mock permit departments: planning, road occupation, greenery, traffic and water, each with its own keys."""
