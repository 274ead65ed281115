"""可开放容量: what utilities publish of the grid's free capacity, area by area."""
