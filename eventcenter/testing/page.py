"""The page of the robot stand-in: a group chat as DingTalk shows it, in plain HTML that needs no script."""

import html
from collections.abc import Mapping, Sequence
from typing import Any, Final

from eventcenter.testing.markdown import to_html

CHAT_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_SHOWN = 100

_STYLE: Final = """
:root { color-scheme: light dark; --page:#eef0f4; --head:#fff; --card:#fff; --text:#171a1d; --dim:#747677;
  --line:#dfe1e6; --link:#1677ff; --bad:#b3261e; --face:#1677ff; }
@media (prefers-color-scheme: dark) { :root { --page:#16181c; --head:#1f2227; --card:#26292f; --text:#e8eaed;
  --dim:#9aa0a6; --line:#34383f; --link:#6aa8ff; --bad:#ff8a80; } }
* { box-sizing: border-box; }
body { margin:0; background:var(--page); color:var(--text);
  font:15px/1.6 system-ui, -apple-system, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif; }
header { position:sticky; top:0; background:var(--head); border-bottom:1px solid var(--line);
  padding:.7rem 1.2rem; display:flex; gap:.8rem; align-items:baseline; flex-wrap:wrap; }
header h1 { font-size:1.05rem; margin:0; } header span { color:var(--dim); font-size:.85rem; }
main { max-width:46rem; margin:0 auto; padding:1rem 1.2rem 3rem; }
article { display:grid; grid-template-columns:2.4rem minmax(0,1fr); gap:.2rem .7rem; margin:1.1rem 0; }
.face { width:2.4rem; height:2.4rem; border-radius:.5rem; background:var(--face); color:#fff; display:grid;
  place-items:center; font-weight:600; }
.who { color:var(--dim); font-size:.82rem; } .who b { color:var(--text); font-weight:600; }
.bubble { background:var(--card); border:1px solid var(--line); border-radius:.2rem .8rem .8rem .8rem;
  padding:.55rem .9rem; overflow-wrap:anywhere; justify-self:start; max-width:100%; }
.bubble > :first-child { margin-top:.1rem; } .bubble > :last-child { margin-bottom:.1rem; }
.bubble :is(h1,h2,h3,h4,h5,h6) { font-size:1.05rem; margin:.2rem 0 .5rem; }
.bubble p,.bubble ul,.bubble ol { margin:.4rem 0; } .bubble ul,.bubble ol { padding-left:1.3rem; }
.bubble blockquote { margin:.4rem 0; padding-left:.7rem; border-left:3px solid var(--line);
  color:var(--dim); }
a { color:var(--link); }
.seal { color:var(--dim); font-size:.78rem; }
details { margin-top:2rem; color:var(--dim); font-size:.85rem; } details li { overflow-wrap:anywhere; }
code { color:var(--bad); }
.empty { text-align:center; color:var(--dim); margin-top:18vh; }
"""

_SEALS: Final[Mapping[str, str]] = {
    "right": "加签校验通过 · signature verified",
    "wrong": "加签校验失败 · wrong signature",
    "none": "未加签 · not signed",
    "unchecked": "加签未校验 · signature not checked",
}


def chat_page(received: Sequence[Mapping[str, Any]]) -> str:
    """The chat of all requests (`GET /messages` documents, oldest first), newest at the top."""
    shown = [held for held in received if held["delivered"]]
    refused = [held for held in received if not held["delivered"]]
    chat = "".join(_bubble(held) for held in reversed(shown[-_SHOWN:]))
    if not chat:
        chat = (
            '<p class="empty">还没有消息。<br>No message yet: a rule that matches an event, '
            "or the test of a target, makes the robot speak.</p>"
        )
    return (
        '<!doctype html><html lang="zh"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="refresh" content="3">'
        f"<title>值班告警群 ({len(shown)})</title><style>{_STYLE}</style></head><body>"
        f"<header><h1>值班告警群 · On call</h1><span>{len(shown)} 条消息 · messages</span>"
        "<span>钉钉机器人替身 · stand-in for DingTalk's robots</span></header>"
        f"<main>{chat}{_refusals(refused)}</main></body></html>"
    )


def _bubble(held: Mapping[str, Any]) -> str:
    name = str(held["robot"])
    text = to_html(str(held["text"]))
    at = html.escape(str(held["at"]).replace("T", " ")[:19])
    seal = html.escape(_SEALS[str(held["signature"])])
    return (
        f'<article><div class="face" aria-hidden="true">{html.escape(name[:1])}</div><div>'
        f'<div class="who"><b>{html.escape(name)}</b> 机器人 · {at} UTC</div>'
        f'<div class="bubble">{text}</div><div class="seal">{seal}</div></div></article>'
    )


def _refusals(refused: Sequence[Mapping[str, Any]]) -> str:
    if not refused:
        return ""
    rows = "".join(
        f"<li>{html.escape(str(held['at'])[:19])} · {html.escape(str(held['title'])[:80])} "
        f"<code>{html.escape(str(held['answer'])[:200])}</code></li>"
        for held in reversed(refused[-_SHOWN:])
    )
    return f"<details><summary>{len(refused)} 条被拒绝 · refused</summary><ul>{rows}</ul></details>"
