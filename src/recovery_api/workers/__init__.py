"""Background work: delivery, jobs, timers."""
