"""Tags of the person: age, family, stage of life, means."""

from __future__ import annotations

from portrait.tags.base import BIRTHDAY, SAID, Tag, Words, says

# fmt: off
TAGS = (
    Tag(20, "student", "person", Words("Student", "学生"), says("life_stage", "student"), SAID,
        Words("Studies: told, or often on a campus.", "在读：由系统告知，或常在校园活动。")),
    Tag(21, "first-job", "person", Words("In the first job", "初入职场"), says("life_stage", "first_job"), SAID,
        Words("Has begun to work.", "刚开始工作。")),
    Tag(22, "newly-married", "person", Words("Newly married", "新婚"), says("life_stage", "newly_married"), SAID,
        Words("Has just married.", "新近结婚。")),
    Tag(23, "parent", "person", Words("Parent", "有孩家庭"), says("family", "children"), SAID,
        Words("Has children: told, or buys and looks for them.", "有子女：由系统告知，或常为孩子选购。")),
    Tag(24, "retired", "person", Words("Retired", "退休"), says("life_stage", "retired"), SAID,
        Words("Has retired.", "已退休。")),
    Tag(25, "minor", "person", Words("Minor", "未成年人"), says("age", "0-17"), BIRTHDAY,
        Words("Under 18: the law sets limits to profiling and selling.", "未满 18 岁：画像与营销受法律限制。"), weight=2),
    Tag(26, "young-adult", "person", Words("Young adult", "青年"), says("age", "18-24", "25-34"), BIRTHDAY,
        Words("18 to 34.", "18 至 34 岁。")),
    Tag(27, "senior", "person", Words("Senior", "长者"), says("age", "65+"), SAID,
        Words("65 or older: large print, patience, a person to talk to.", "65 岁以上：宜大字版、耐心与人工服务。")),
    Tag(28, "high-income", "person", Words("High income", "高收入"), says("income", "high"), SAID,
        Words("A system told of a high income.", "由系统告知收入较高。")),
)
