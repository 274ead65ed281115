"""办事公开: what anybody may read – the rules in force, and how quickly connections are made."""
