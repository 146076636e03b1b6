"""Tags of service: what is wrong now, what was missed, whether they would recommend us, and what they do not consent to."""

from __future__ import annotations

from portrait.dimensions.experience import TROUBLE_DAYS
from portrait.structures import WINDOW_DAYS
from portrait.tags.base import KEPT, OPEN, SAID, WINDOW, Tag, Words, after, counts, has, says

# fmt: off
TAGS = (
    Tag(90, "complaint-open", "experience", Words("Complaint open", "投诉未结"), counts("breaks", "open_complaint"), OPEN,
        Words("A complaint waits: solve it, sell nothing.", "有未结投诉：先解决，勿推销。"), weight=2),
    Tag(91, "severe-complaint", "experience", Words("Severe complaint open", "严重投诉未结"),
        has("trouble", "severe_complaint"), OPEN,
        Words("An open complaint is of high or critical severity.", "未结投诉中有严重或紧急者。"), weight=2),
    Tag(92, "complains-again", "experience", Words("Complains again", "反复投诉"), has("trouble", "complains_again"), WINDOW,
        Words("Three complaints or more in 90 days.", "近 90 天投诉三次以上。"), weight=2),
    Tag(93, "unhappy", "experience", Words("Unhappy", "近期不满"), has("trouble", "unhappy"), after(TROUBLE_DAYS),
        Words("Few stars, a low recommendation, or a conversation that solved nothing, in 30 days.",
              "近 30 天有低分、低推荐意愿或未解决的会话。"), weight=2),
    Tag(94, "delivered-late", "experience", Words("Delivered late", "近期延误"),
        has("trouble", "late_delivery"), after(TROUBLE_DAYS),
        Words("A delivery came late in 30 days: an excuse is owed.", "近 30 天有延迟送达：应致歉。"), weight=2),
    Tag(95, "cart-left", "experience", Words("Left a cart", "有弃置购物车"),
        counts("breaks", "abandoned_cart"), after(WINDOW_DAYS),
        Words("A cart of the last 90 days was left behind.", "近 90 天有加购后未下单。")),
    Tag(96, "unmet-wish", "experience", Words("Unmet wish", "需求未满足"), counts("breaks", "unmet_search"), KEPT,
        Words("Searched for something that we do not have.", "搜索过我们没有的商品。")),
    Tag(97, "promoter", "experience", Words("Promoter", "推荐者"), says("recommends", "promoter"), SAID,
        Words("Would recommend us.", "愿意推荐我们。")),
    Tag(98, "detractor", "experience", Words("Detractor", "贬损者"), says("recommends", "detractor"), SAID,
        Words("Would advise against us.", "不愿推荐我们。"), weight=2),
    Tag(99, "no-marketing", "use", Words("No marketing", "拒绝营销"), has("refused", "marketing"), SAID,
        Words("Does not consent to marketing: only service.", "不同意营销：仅可提供服务。"), weight=2),
    Tag(100, "no-profiling", "use", Words("No profiling", "拒绝画像"), has("refused", "profiling"), SAID,
        Words("Does not consent to profiling: nothing may be sold by it.", "不同意画像：不得据此画像营销。"), weight=2),
)
