"""Tags of behaviour: how customers decide, when and in what form they take things in, how they take to technology."""

from __future__ import annotations

from portrait.tags.base import HABIT, WINDOW, Lasts, Tag, Words, from_on, says

#: Carts on so many days, half of them left behind.
CARTS, LEFT = 2, 0.5
#: Two weekdays tell by themselves of two days; that there were three, only the last 90 days, or three purchase days, say.
TWO_WEEKDAYS = Lasts(
    Words(
        "until other habits outweigh it, or neither the last 90 days nor purchases tell of three days",
        "直至被其他习惯取代，或近 90 天与购买记录均不足三天",
    )
)

# fmt: off
TAGS = (
    Tag(40, "researcher", "decisions", Words("Researcher", "研究型"), says("kind", "researcher"), HABIT,
        Words("Looks at much before buying: give facts, reviews and time.", "反复对比后才买：宜给参数与评测，勿催促。")),
    Tag(41, "impulsive", "decisions", Words("Impulsive", "冲动型"), says("kind", "impulsive"), HABIT,
        Words("Buys after few looks: show what is new and scarce.", "浏览很少即下单：宜推新品、限时。")),
    Tag(42, "bargain-hunter", "decisions", Words("Bargain hunter", "比价捡漏型"), says("kind", "bargain_hunter"), HABIT,
        Words("Buys reduced, and searches for it.", "多买折扣，并主动搜索优惠。")),
    Tag(43, "leaves-carts", "decisions", Words("Leaves carts behind", "常弃购物车"), from_on("abandoned", LEFT, "carts"), WINDOW,
        Words("After half of the carts of 90 days nothing was bought.", "近 90 天半数以上加购后未下单。")),
    Tag(44, "night-owl", "media", Words("Night owl", "夜猫子"), says("daypart", "night"), HABIT,
        Words("Most active from 23 to 6, local time.", "最活跃时段为 23 至 6 点（当地时间）。")),
    Tag(45, "early-bird", "media", Words("Early bird", "早间活跃"), says("daypart", "morning"), HABIT,
        Words("Most active in the morning.", "最活跃时段为上午。")),
    Tag(46, "video-lover", "media", Words("Prefers video", "偏好视频"), says("format", "video", "live"), HABIT,
        Words("Takes things in by video or live stream.", "多看视频或直播。")),
    Tag(47, "reader", "media", Words("Prefers text", "偏好图文"), says("format", "text", "picture"), HABIT,
        Words("Takes things in by text or pictures.", "多看图文。")),
    Tag(48, "weekender", "situation", Words("Weekend customer", "周末型"), says("week", "weekend"), TWO_WEEKDAYS,
        Words("A day of the weekend sees clearly more activity than a workday.", "周末活跃度明显高于工作日。")),
    Tag(49, "workday-customer", "situation", Words("Workday customer", "工作日型"), says("week", "workday"), HABIT,
        Words("A workday sees clearly more activity than a day of the weekend.", "工作日活跃度明显高于周末。")),
    Tag(50, "innovator", "technology", Words("Innovator", "创新尝鲜者"), says("adoption", "innovator"), HABIT,
        Words("Among the first to take up what is new.", "最早尝试新事物。")),
    Tag(51, "early-adopter", "technology", Words("Early adopter", "早期采用者"), says("adoption", "early_adopter"), HABIT,
        Words("Takes up what is new before most do.", "较早接受新事物。")),
    Tag(52, "laggard", "technology", Words("Laggard", "技术保守"), says("adoption", "laggard"), HABIT,
        Words("Takes up what is new last, if at all: no new app, a familiar way.", "最后才接受新事物：宜用熟悉的方式服务。")),
    Tag(53, "self-service", "technology", Words("Self-service", "自助型"), says("service", "self_service"), HABIT,
        Words("Helps themselves, in the app or on the web.", "习惯在应用或网页自助解决。")),
    Tag(54, "needs-a-person", "technology", Words("Needs a person", "需人工服务"), says("service", "human"), HABIT,
        Words("Is used to talking to somebody: by phone, or in a shop.", "习惯电话或到店由人办理。")),
)
