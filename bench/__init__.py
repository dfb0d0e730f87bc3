"""Measure tcpflows beside other programs, on captures that it makes itself: ``python -m bench``."""
