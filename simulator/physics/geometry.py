"""Volumes and membrane areas of compartment shapes, for numbers and arrays."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

#: Exponent p in area ~ w^p for the volume w inside a membrane: a sphere keeps its shape, a cylinder its length.
AREA_POWERS = {"given": Fraction(0), "sphere": Fraction(2, 3), "cylinder": Fraction(1, 2)}


def area_ratio(shape: str, volume_ratio: Any) -> Any:
    """Factor by which the area of a shape grows when its volume grows by `volume_ratio`."""
    return volume_ratio ** float(AREA_POWERS[shape])


def sphere_volume(radius: Any) -> Any:
    """Volume [m3] of a sphere of the given radius [m]."""
    return 4.0 / 3.0 * math.pi * (radius * radius * radius)


def sphere_area(radius: Any) -> Any:
    """Surface [m2] of a sphere of the given radius [m]."""
    return 4.0 * math.pi * (radius * radius)


def cylinder_volume(radius: Any, length: Any) -> Any:
    """Volume [m3] of a cylinder."""
    return math.pi * (radius * radius) * length


def cylinder_area(radius: Any, length: Any) -> Any:
    """Lateral surface [m2] of a cylinder, without its ends."""
    return 2.0 * math.pi * radius * length
