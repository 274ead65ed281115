"""监管: how long connections take against their limits, for the energy authority."""
