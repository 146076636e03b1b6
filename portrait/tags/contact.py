"""Tags of channels: where customers are, where they answer, what they refuse."""

from __future__ import annotations

from portrait.tags.base import HABIT, SAID, Tag, Words, has, says

WECHAT = ("wechat", "miniprogram", "mini-program")
MAIL, CALL, SHOP = ("email", "mail"), ("phone", "call", "hotline"), ("store", "shop", "branch", "counter")

# fmt: off
TAGS = (
    Tag(110, "prefers-wechat", "channels", Words("Prefers WeChat", "偏好微信"), says("prefers", *WECHAT), HABIT,
        Words("Most of what they do happens there.", "多数行为发生在微信。")),
    Tag(111, "prefers-app", "channels", Words("Prefers the app", "偏好应用"), says("prefers", "app"), HABIT,
        Words("Most of what they do happens there.", "多数行为发生在应用内。")),
    Tag(112, "prefers-phone", "channels", Words("Prefers the phone", "偏好电话"), says("prefers", *CALL), HABIT,
        Words("Most of what they do happens there.", "多数行为通过电话。")),
    Tag(113, "prefers-shop", "channels", Words("Prefers the shop", "偏好门店"), says("prefers", *SHOP), HABIT,
        Words("Most of what they do happens there.", "多数行为发生在门店。")),
    Tag(114, "answers-on-wechat", "channels", Words("Answers on WeChat", "微信有回应"), says("answers_on", *WECHAT), HABIT,
        Words("Opens our messages there most.", "在微信上打开我们的消息最多。")),
    Tag(115, "answers-mail", "channels", Words("Answers mail", "邮件有回应"), says("answers_on", *MAIL), HABIT,
        Words("Opens our messages there most.", "在邮件中打开我们的消息最多。")),
    Tag(116, "answers-sms", "channels", Words("Answers SMS", "短信有回应"), says("answers_on", "sms"), HABIT,
        Words("Opens our messages there most.", "在短信中打开我们的消息最多。")),
    Tag(117, "answers-push", "channels", Words("Answers push", "推送有回应"), says("answers_on", "push", "app"), HABIT,
        Words("Opens our messages there most.", "在应用推送中打开我们的消息最多。")),
    Tag(118, "refuses-sms", "channels", Words("Refuses SMS", "拒收短信"), has("avoid", "sms"), SAID,
        Words("Refuses more messages there than they answer.", "短信拒收多于回应。"), weight=2),
    Tag(119, "refuses-mail", "channels", Words("Refuses mail", "拒收邮件"), has("avoid", *MAIL), SAID,
        Words("Refuses more messages there than they answer.", "邮件拒收多于回应。"), weight=2),
    Tag(120, "refuses-push", "channels", Words("Refuses push", "拒收推送"), has("avoid", "push", "app"), SAID,
        Words("Refuses more messages there than they answer.", "推送拒收多于回应。"), weight=2),
    Tag(121, "refuses-calls", "channels", Words("Refuses calls", "拒接电话"), has("avoid", *CALL), SAID,
        Words("Refuses more calls than they answer.", "电话拒接多于回应。"), weight=2),
    Tag(122, "offline", "channels", Words("Offline", "线下型"), says("offline", "offline"), HABIT,
        Words("Met face to face, or by voice.", "多在线下或电话接触。")),
    Tag(123, "online-and-offline", "channels", Words("Online and offline", "线上线下兼有"), says("offline", "both"), HABIT,
        Words("At home in both: the shop, the phone and the app must know of each other.", "线上线下兼用：两端信息应打通。")),
)
