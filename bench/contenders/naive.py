"""What one would write first: stock Faust, an event at a time: JSON, GET, update, River, SET."""

from __future__ import annotations

import json
from typing import Any

import redis.asyncio
import uvloop
from river import compose, linear_model, preprocessing

from bench.contenders.faust_noop import stock_app
from bench.contenders.task import TOPICS, Task
from bench.meter import Counter


def run(task: Task) -> None:
    uvloop.run(_run(task))


async def _run(task: Task) -> None:
    app = stock_app(task)
    counter = Counter(task.events)
    client = redis.asyncio.Redis.from_url(task.settings.redis)
    model = compose.Pipeline(preprocessing.StandardScaler(), linear_model.LogisticRegression())

    async def fold(stream):
        async for customer, value in stream.items():
            counter.begin()
            event = json.loads(value)
            key = b"naive:" + customer
            found = await client.get(key)
            profile: dict[str, Any] = json.loads(found) if found else {"events": 0, "types": {}, "spent_minor": 0}
            update(profile, event)
            x = {"events": profile["events"], "spent": profile["spent_minor"], **profile["types"]}
            profile["churn_risk"] = model.predict_proba_one(x).get(True, 0.5)
            model.learn_one(x, event["type"] != "order.placed")
            await client.set(key, json.dumps(profile))
            counter.count(1)

    app.agent(app.topic(*TOPICS))(fold)
    await app.start()
    await app.wait_until_stopped()


def update(profile: dict[str, Any], event: dict[str, Any]) -> None:
    """A few counts: far less than our profile holds."""
    profile["events"] += 1
    profile["types"][event["type"]] = profile["types"].get(event["type"], 0) + 1
    profile["last"] = event["time"]
    if event["type"] == "order.placed":
        profile["spent_minor"] += event["data"]["amount_minor"]
