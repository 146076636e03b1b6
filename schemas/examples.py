"""One believable event of every type, and one of each output, for documents and tests. They show every field once."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from schemas.outputs import Action, ActionEvent, DeadLetter, Expired, OperatorAction, OperatorActionEvent, Origin, Reason
from schemas.registry import TYPES
from schemas.words import Why

CUSTOMER_ID = "C-1024"

_TOUCH = {
    "session": "s-77",
    "channel": "app",
    "device": "phone",
    "region": "上海",
    "place": "home",
    "weather": "rain",
    "occasion": "spring-run",
}
_MENTION = {"platform": "xiaohongshu", "handle": "跑步的小林", "audience": 5200, "topics": ["马拉松"], "brands": ["CloudStep"]}
_RIVALS = {"brands": ["CloudStep", "FeatherRun"], "rivals": ["FeatherRun"]}
_MESSAGE = {"message_id": "m-31", "channel": "wechat", "campaign": "spring-run"}
_IDENTITIES = ["device:a1b2", {"other": "跑步的小林", "kind": "social", "confidence": 0.9}]
_PLACED, _OPENED = "2026-05-01T09:30:00+08:00", "2026-05-06T10:00:00+08:00"

#: Event type -> (time, data).
_DATA: dict[str, tuple[str, dict[str, Any]]] = {
    "page.viewed": (
        "2026-05-01T09:12:00+08:00",
        {**_TOUCH, "page": "/running/shoes", "dwell_ms": 42_000, "referrer": "https://search.example/"},
    ),
    "item.viewed": (
        "2026-05-01T09:14:05.250+08:00",
        {
            **_TOUCH,
            "sku": "shoe-9",
            "name": "CloudStep 9 跑鞋",
            "category": "running",
            "brand": "CloudStep",
            "price_minor": 89_900,
            "currency": "CNY",
            "dwell_ms": 65_000,
        },
    ),
    "search.made": ("2026-05-01T09:16:00+08:00", {**_TOUCH, "query": "跑鞋 宽楦", "results": 0}),
    "cart.changed": (
        "2026-05-01T09:20:00+08:00",
        {
            **_TOUCH,
            "action": "added",
            "sku": "shoe-9",
            "category": "running",
            "quantity": 1,
            "price_minor": 89_900,
            "currency": "CNY",
        },
    ),
    "content.engaged": (
        "2026-05-01T12:40:00+08:00",
        {**_TOUCH, "content": "v-501", "kind": "video", "topic": "review", "action": "liked", "dwell_ms": 180_000},
    ),
    "app.opened": ("2026-05-02T07:58:00+08:00", {**_TOUCH, "version": "8.2.1"}),
    "store.visited": (
        "2026-05-02T15:10:00+08:00",
        {**_TOUCH, "channel": "store", "place": "store", "store": "南京西路店", "dwell_ms": 1_500_000},
    ),
    "order.placed": (
        _PLACED,
        {
            "order_id": "O-5001",
            "currency": "CNY",
            "amount_minor": 84_900,
            "lines": [
                {
                    "sku": "shoe-9",
                    "quantity": 1,
                    "unit_price_minor": 89_900,
                    "name": "CloudStep 9 跑鞋",
                    "category": "running",
                    "brand": "CloudStep",
                    "new_arrival": True,
                }
            ],
            "discount_minor": 5_000,
            "coupon": "SPRING50",
            "payment_method": "wechat-pay",
            "instalments": 3,
            "channel": "app",
            "occasion": "spring-run",
        },
    ),
    "order.cancelled": (
        "2026-05-01T10:05:00+08:00",
        {
            "order_id": "O-5001",
            "placed_at": _PLACED,
            "currency": "CNY",
            "amount_minor": 84_900,
            "whole": True,
            "reason": "ordered twice",
        },
    ),
    "order.refunded": (
        "2026-05-09T16:00:00+08:00",
        {"order_id": "O-5001", "placed_at": _PLACED, "currency": "CNY", "amount_minor": 20_000, "reason": "sole came off"},
    ),
    "order.delivered": (
        "2026-05-04T11:00:00+08:00",
        {"order_id": "O-5001", "placed_at": _PLACED, "promised_at": "2026-05-03T20:00:00+08:00"},
    ),
    "complaint.opened": (
        _OPENED,
        {
            "complaint_id": "K-88",
            "category": "quality",
            "product": "shoe-9",
            "severity": "high",
            "channel": "phone",
            "text": "穿了两天就开胶了，客服一直没人回。",
        },
    ),
    "complaint.updated": (
        "2026-05-06T18:30:00+08:00",
        {
            "complaint_id": "K-88",
            "opened_at": _OPENED,
            "category": "quality",
            "severity": "critical",
            "text": "Still waiting for a call back.",
        },
    ),
    "complaint.resolved": (
        "2026-05-08T09:00:00+08:00",
        {"complaint_id": "K-88", "opened_at": _OPENED, "category": "quality", "resolution": "exchange", "satisfaction": 4},
    ),
    "mention.posted": (
        "2026-05-10T21:15:00+08:00",
        {**_MENTION, **_RIVALS, "post_id": "p-9001", "text": "CloudStep 9 跑了一百公里，来说说感受。", "engagement": 310},
    ),
    "mention.shared": (
        "2026-05-11T08:00:00+08:00",
        {**_MENTION, **_RIVALS, "post_id": "p-9002", "text": "Worth reading before you buy.", "engagement": 12},
    ),
    "account.followed": ("2026-05-11T08:01:00+08:00", {**_MENTION, **_RIVALS, "account": "FeatherRun"}),
    "rating.given": (
        "2026-05-12T20:00:00+08:00",
        {"stars": 4, "subject": "product", "sku": "shoe-9", "text": "换货后没有再开胶。"},
    ),
    "survey.answered": (
        "2026-05-13T20:00:00+08:00",
        {
            "survey": "nps-2026-q2",
            "question": "How likely are you to recommend us?",
            "answer": "Quick exchange.",
            "nps": 8,
            "motives": ["quality"],
        },
    ),
    "conversation.closed": (
        "2026-05-08T09:05:00+08:00",
        {
            "conversation_id": "V-12",
            "channel": "phone",
            "messages": 14,
            "first_reply_ms": 35_000,
            "solved": True,
            "stars": 4,
            "text": "Exchange agreed.",
        },
    ),
    "attributes.changed": (
        "2026-04-30T15:00:00+08:00",
        {"attributes": {"name": "林晓", "city": "上海", "tier": "gold"}, "system": "crm"},
    ),
    "external-id.assigned": ("2026-04-30T15:00:01+08:00", {"system": "crm", "external_id": "00042"}),
    "identity.linked": (
        "2026-04-30T15:00:02+08:00",
        {"other": "cookie-5f2", "kind": "cookie", "confidence": 0.97, "key_kind": "customer", "by": "desk-7"},
    ),
    "identity.unlinked": (
        "2026-06-01T10:00:00+08:00",
        {"other": "cookie-5f2", "kind": "cookie", "reason": "shared computer", "key_kind": "customer", "by": "desk-7"},
    ),
    "consent.changed": ("2026-04-30T15:00:03+08:00", {"purpose": "marketing", "granted": True, "basis": "consent"}),
    "contact.sent": ("2026-05-20T10:00:00+08:00", {**_MESSAGE, "action_id": "5a27d0c1b9e84f6f9d3c2b1a00112233"}),
    "contact.delivered": ("2026-05-20T10:00:02+08:00", _MESSAGE),
    "contact.opened": ("2026-05-20T19:30:00+08:00", _MESSAGE),
    "contact.clicked": ("2026-05-20T19:30:20+08:00", _MESSAGE),
    "contact.refused": ("2026-05-21T08:00:00+08:00", {**_MESSAGE, "reason": "unsubscribed"}),
}


def event(name: str) -> dict[str, Any]:
    """A structured-mode event of the type ``name``, the caller's own. Raises KeyError for a type without an example."""
    time, data = _DATA[name]
    source, data = f"/shop/{TYPES[name][0].name}", {**data, "identities": _IDENTITIES}
    return {"specversion": "1.0", "id": f"example-{name}", "source": source, "type": name, "time": time, "data": deepcopy(data)}


ACTION = ActionEvent(
    id="0d9e1c7a5b3f42e8a6c4d2b0f1e3a5c7",
    time="2026-07-14T00:00:00.000+00:00",
    subject=CUSTOMER_ID,
    data=Action(
        id="0d9e1c7a5b3f42e8a6c4d2b0f1e3a5c7",
        customer_id=CUSTOMER_ID,
        rule="stage-fell",
        episode="declining:20648",
        raised_at_ms=1_783_987_200_000,
        expires_at_ms=1_785_196_800_000,
        stage="declining",
        churn_risk=0.6312,
        model_version="1.4810",
        reasons=[Why("stage.silent", (45, 30)).reason()],
        suggest=Reason(
            "suggest.remind", "Remind gently: what is new in their favourite categories.", "温和提醒：其偏好品类的新品。"
        ),
    ),
)

OPERATOR_ACTION = OperatorActionEvent(
    id="7b1f0c9d2e4a4f6b8d0c1e2f3a4b5c6d",
    time="2026-07-14T00:05:00.000+00:00",
    subject="churn",
    data=OperatorAction(
        id="7b1f0c9d2e4a4f6b8d0c1e2f3a4b5c6d",
        rule="model-drift",
        model="churn",
        model_version="1.48100",
        subject="features",
        raised_at_ms=1783987500000,
        expires_at_ms=1785197100000,
        reasons=[
            Reason(
                "drift.feature.visits7",
                "visits7 has moved by -1.3 standard deviations.",
                "特征 visits7 偏移了 -1.3 个标准差。",
            )
        ],
        suggest=Reason(
            "suggest.look-at-model",
            "Look at `portrait model report`. Was it an error in the data? Mend it, then `portrait model rollback`.",
            "请查看 `portrait model report`。若为数据错误，请先修正数据，再执行 `portrait model rollback`。",
        ),
    ),
)

EXPIRED = Expired(id="anonymous:5f2e", marks={"clicks/2": 18032}, at_ms=1783987500000)

DEAD_LETTER = DeadLetter(
    id="orders/3/1182",
    origin=Origin("orders", 3, 1182),
    reason="invalid",
    path="$.data.amount_minor",
    message="Expected `int` >= 0",
    remedy="see docs/publishing.md, or the AsyncAPI document, for what `$.data.amount_minor` of this type may hold",
    record_ms=1_777_599_000_000,
    key=CUSTOMER_ID.encode(),
    value=b'{"specversion":"1.0","id":"1","source":"/shop","type":"order.placed","data":{"order_id":"O-1","currency":"CNY","amount_minor":-1}}',
)
