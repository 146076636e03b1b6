"""Tags of relations: to our brand, to rivals, to those who listen; and of what is changing."""

from __future__ import annotations

from portrait.dimensions.competitors import Competitors
from portrait.tags.base import HABIT, INTEREST, STAGE, WINDOW, Lasts, Rule, Sign, Tag, Words, among, is_one_of, says

DECIDED = Lasts(Words("until it is won, or lost after more silence than is usual", "直至胜负已定：超过惯常间隔未买即为落败"))
NAMED = Lasts(Words("while this rival is among the three named latest", "直至不再是最近提及的三家竞品之一"))


def _outcome(outcome: str) -> Rule:
    """The matter with a rival stands so."""

    def look(said: Competitors) -> Sign | None:
        rivals = said.rivals
        names = (name for name in sorted(rivals) if rivals[name].outcome == outcome)
        return next((Sign(1.0, "rivals", name, rivals[name].mentions) for name in names), None)

    return Rule(look, Words(f"`outcome` of one of the `rivals` is {outcome}", f"`rivals` 中有 `outcome` 为 {outcome} 者"))


# fmt: off
TAGS = (
    Tag(140, "advocate", "brand", Words("Advocate", "品牌拥护者"), is_one_of("level", "advocate"), WINDOW,
        Words("Recommends us, or speaks of us and of no rival.", "愿意推荐，或公开提及我们而未提竞品。")),
    Tag(141, "loyal", "brand", Words("Loyal", "忠诚客户"), is_one_of("level", "loyal", "advocate"), STAGE,
        Words("Keeps coming.", "持续光顾。")),
    Tag(142, "wavering", "brand", Words("Wavering", "忠诚动摇"), says("loyalty", "wavering"), WINDOW,
        Words("Silent for longer than usual, or speaks of a rival.", "沉默过久，或提及竞品。"), weight=2),
    Tag(143, "belongs", "brand", Words("Belongs", "归属感强"), says("belonging", "high"), HABIT,
        Words("Posts, shares and follows much that is ours.", "大量发布、转发或关注与我们有关的内容。")),
    Tag(144, "thinks-ill-of-us", "brand", Words("Thinks ill of us", "口碑差"), says("reputation", "poor"), HABIT,
        Words("Low recommendation, or few stars on average.", "推荐意愿低或平均评分低。"), weight=2),
    Tag(145, "considering", "brand", Words("Considering", "考虑中"), is_one_of("level", "considering"), WINDOW,
        Words("Looks around, and does not buy now.", "近期浏览，目前未购买。")),
    Tag(146, "rival-in-view", "competitors", Words("Rival in view", "关注竞品"), _outcome("open"), DECIDED,
        Words("Has named a rival, and not bought since.", "提及竞品后尚未再买。"), weight=2),
    Tag(147, "lost-to-rival", "competitors", Words("Lost to a rival", "输给竞品"), _outcome("lost"), NAMED,
        Words("Named a rival, and has stayed away for longer than is usual.", "提及竞品后超过惯常间隔未买。")),
    Tag(148, "won-from-rival", "competitors", Words("Won from a rival", "赢自竞品"), _outcome("won"), NAMED,
        Words("Named a rival, and bought from us since.", "提及竞品后仍在我们处购买。")),
    Tag(149, "opinion-leader", "influence", Words("Opinion leader", "意见领袖"), says("kind", "opinion_leader"), HABIT,
        Words("Is heard by many, or answered much.", "受众多或互动高。"), weight=2),
    Tag(150, "connector", "influence", Words("Connector", "连接者"), says("kind", "connector"), HABIT,
        Words("Passes on more than they write.", "转发多于原创，连接他人。")),
    Tag(151, "large-audience", "influence", Words("Large audience", "粉丝众多"), is_one_of("audience", "macro", "mega"), HABIT,
        Words("100,000 followers or more.", "粉丝十万以上。")),
    Tag(152, "more-active", "outlook", Words("More active", "活跃上升"), says("activity", "rising"), WINDOW,
        Words("Clearly more active in 30 days than in the 60 before.", "近 30 天明显更活跃。")),
    Tag(153, "less-active", "outlook", Words("Less active", "活跃走低"), says("activity", "falling"), WINDOW,
        Words("Clearly less active in 30 days than in the 60 before.", "近 30 天明显不如此前活跃。"), weight=2),
    Tag(154, "expects-a-baby", "outlook", Words("A baby shows", "或添新丁"), among("changes", "baby"), INTEREST,
        Words("New interest in things for babies.", "新近关注母婴。")),
    Tag(155, "new-home", "outlook", Words("A new home shows", "或换新居"), among("changes", "home"), INTEREST,
        Words("New interest in furniture and moving.", "新近关注家装搬家。")),
    Tag(156, "wedding", "outlook", Words("A wedding shows", "或将结婚"), among("changes", "wedding"), INTEREST,
        Words("New interest in weddings.", "新近关注婚庆。")),
    Tag(157, "new-pet", "outlook", Words("A pet shows", "或养宠物"), among("changes", "pet"), INTEREST,
        Words("New interest in things for pets.", "新近关注宠物用品。")),
)
