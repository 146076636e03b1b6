"""Topic ``social-mentions``: what a customer says in public, passes on, and follows."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from schemas.topic import EventType, Topic
from schemas.types import Count, Data, Key, Name, Text

Names = Annotated[list[Name], Meta(max_length=20)]


class Mention(Data, frozen=True, kw_only=True, gc=False):
    platform: Name  # weibo, xiaohongshu, douyin, bilibili, x, ...
    handle: Name | None = None
    audience: Count | None = None  # followers of the author at that moment
    topics: Names = []
    brands: Names = []
    rivals: Names = []  # those of the brands, or shops, that the publisher knows as competitors


class MentionPosted(Mention, frozen=True, kw_only=True, gc=False):
    """The customer wrote a post of their own."""

    post_id: Key | None = None
    text: Text | None = None
    engagement: Count = 0  # likes, comments and shares seen so far


class MentionShared(Mention, frozen=True, kw_only=True, gc=False):
    """The customer passed on a post of somebody else."""

    post_id: Key | None = None
    text: Text | None = None
    engagement: Count = 0


class AccountFollowed(Mention, frozen=True, kw_only=True, gc=False):
    """The customer began to follow an account."""

    account: Name


TOPIC = Topic(
    name="social-mentions",
    code=4,
    doc=__doc__,
    events=(
        EventType("mention.posted", MentionPosted),
        EventType("mention.shared", MentionShared),
        EventType("account.followed", AccountFollowed),
    ),
)
