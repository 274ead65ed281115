"""Only what crosses a wire and more than one side speaks."""
