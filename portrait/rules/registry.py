"""The one list of rules. A new one is a file beside this and one name here."""

from __future__ import annotations

from portrait.rules import came_back, risk_rose, stage_fell, valued_complaint
from portrait.rules.base import Rule

RULES: tuple[Rule, ...] = (risk_rose.RULE, valued_complaint.RULE, stage_fell.RULE, came_back.RULE)
