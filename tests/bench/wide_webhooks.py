"""Webhooks: GitHub's pushes and pull requests, and payments."""

import random

from tests.bench.wide_tree import TIME, Tree, envelope

_REPO_LINKS = (
    "forks",
    "keys{/key_id}",
    "collaborators{/collaborator}",
    "teams",
    "hooks",
    "issues/events{/number}",
    "events",
    "assignees{/user}",
    "branches{/branch}",
    "tags",
    "git/blobs{/sha}",
    "git/tags{/sha}",
    "git/refs{/sha}",
    "git/trees{/sha}",
    "statuses/{sha}",
    "languages",
    "stargazers",
    "contributors",
    "subscribers",
    "subscription",
    "commits{/sha}",
    "git/commits{/sha}",
    "comments{/number}",
    "issues/comments{/number}",
    "contents/{+path}",
    "compare/{base}...{head}",
    "merges",
    "{archive_format}{/ref}",
    "downloads",
    "issues{/number}",
    "pulls{/number}",
    "milestones{/number}",
    "notifications{?since,all}",
    "labels{/name}",
    "releases{/id}",
    "deployments",
)
_USER_LINKS = ("followers", "following", "gists", "starred", "subscriptions", "orgs", "repos", "events")


def _account(login: str, number: str) -> Tree:
    links = {f"{name}_url": f"https://api.github.com/users/{login}/{name}" for name in _USER_LINKS}
    return {
        "login": login,
        "id": number,
        "node_id": "MDQ6VXNlcg‹key›",
        "avatar_url": f"https://avatars.example.com/u/{login}?v=4",
        "gravatar_id": "",
        "url": f"https://api.github.com/users/{login}",
        "html_url": f"https://github.com/{login}",
        **links,
        "type": "User",
        "site_admin": False,
    }


def _repository(rnd: random.Random) -> Tree:
    api = "https://api.github.com/repos/‹repo.full›"
    return {
        "id": "«repo.id»",
        "node_id": "R_kg‹key›",
        "name": "‹repo.name›",
        "full_name": "‹repo.full›",
        "private": "«bool»",
        "owner": _account("‹repo.owner›", "«repo.owner_id»"),
        "html_url": "https://github.com/‹repo.full›",
        "description": "‹message›",
        "fork": "«bool»",
        "url": api,
        **{
            f"{link.split('{')[0].strip('/').replace('/', '_') or 'archive'}_url": f"{api}/{link}"
            for link in _REPO_LINKS
        },
        "created_at": rnd.choice((1_700_000_000, "2023-11-14T22:13:20Z")),
        "updated_at": TIME,
        "pushed_at": rnd.choice(("«serial»", TIME)),
        "homepage": "«maybe»",
        "size": "«int»",
        "stargazers_count": "«int»",
        "language": rnd.choice(("Python", "Go", None)),
        "has_issues": True,
        "has_wiki": "«bool»",
        "forks_count": "«int»",
        "mirror_url": None,
        "archived": False,
        "open_issues_count": "«int»",
        "license": None if rnd.random() < 0.5 else {"key": "mit", "name": "MIT License", "spdx_id": "MIT"},
        "topics": "«list»",
        "visibility": "public",
        "default_branch": "main",
    }


def push(rnd: random.Random) -> Tree:
    commits = [
        {
            "id": "‹sha›",
            "tree_id": "‹sha›",
            "distinct": "«bool»",
            "message": "‹message›",
            "timestamp": "‹hour›‹minute_second›+08:00",
            "url": "https://github.com/‹repo.full›/commit/‹token›",
            "author": {"name": "‹person›", "email": "‹word›@example.com", "username": "‹word›"},
            "committer": {"name": "GitHub", "email": "noreply@example.com", "username": "web-flow"},
            "added": "«list»",
            "removed": [],
            "modified": "«list»",
        }
        for _ in range(rnd.randrange(1, 10))
    ]
    data = {
        "ref": rnd.choice(("refs/heads/main", "refs/heads/feature/‹word›", "refs/tags/v1.2.3")),
        "before": "‹sha›",
        "after": "‹sha›",
        "repository": _repository(rnd),
        "pusher": {"name": "‹repo.login›", "email": "‹repo.login›@example.com"},
        "organization": None if rnd.random() < 0.5 else {"login": "‹repo.owner›", "id": "«repo.owner_id»"},
        "sender": _account("‹repo.login›", "«int»"),
        "created": "«bool»",
        "deleted": False,
        "forced": "«bool»",
        "base_ref": "«maybe»",
        "compare": "https://github.com/‹repo.full›/compare/‹span›...‹span›",
        "commits": commits,
        "head_commit": commits[0],
    }
    return envelope(
        "com.github.push", "https://github.com/‹repo.full›", "‹repo.full›", data, delivery="‹uuid›"
    )


def pull_request(rnd: random.Random) -> Tree:
    action = rnd.choice(("opened", "synchronize", "closed", "labeled"))
    api = "https://api.github.com/repos/‹repo.full›/pulls/‹repo.number›"
    side = {"label": "‹repo.owner›:‹word›", "ref": "‹word›", "sha": "‹sha›"}
    data = {
        "action": action,
        "number": "«repo.number»",
        "pull_request": {
            "url": api,
            "id": "«serial»",
            "node_id": "PR_kw‹key›",
            "html_url": "https://github.com/‹repo.full›/pull/‹repo.number›",
            **{
                f"{name}_url": f"{api}/{name}"
                for name in ("commits", "comments", "review_comments", "statuses")
            },
            "number": "«repo.number»",
            "state": "open",
            "locked": False,
            "title": "‹message›",
            "user": _account("‹repo.login›", "«int»"),
            "body": rnd.choice((None, "‹message›\\n\\n- [x] 测试\\n- [ ] docs ‹message›")),
            "created_at": TIME,
            "updated_at": TIME,
            "closed_at": None,
            "merged_at": None,
            "merge_commit_sha": "‹sha›",
            "assignee": None,
            "assignees": [],
            "requested_reviewers": [_account("‹word›", "«int»") for _ in range(rnd.randrange(3))],
            "labels": [
                {
                    "id": "«serial»",
                    "name": "‹word›",
                    "color": "d73a4a",
                    "default": "«bool»",
                    "description": "«maybe»",
                }
                for _ in range(rnd.randrange(4))
            ],
            "milestone": None,
            "draft": "«bool»",
            "head": {**side, "user": _account("‹repo.owner›", "«repo.owner_id»"), "repo": None},
            "base": {**side, "user": _account("‹repo.owner›", "«repo.owner_id»"), "repo": None},
            "author_association": "CONTRIBUTOR",
            "auto_merge": None,
            "merged": "«bool»",
            "mergeable": "«variant»",
            "mergeable_state": "unknown",
            "comments": "«small»",
            "commits": "«small»",
            "additions": "«int»",
            "deletions": "«int»",
            "changed_files": "«small»",
        },
        "repository": _repository(rnd),
        "sender": _account("‹repo.login›", "«int»"),
    }
    return envelope(
        f"com.github.pull_request.{action}", "https://github.com/‹repo.full›", "pulls/‹repo.number›", data
    )


def payment(rnd: random.Random) -> Tree:
    kind = rnd.choice(("charge.succeeded", "charge.refunded", "payment_intent.created", "invoice.paid"))
    address = {
        "city": "‹customer.city›",
        "country": rnd.choice(("CN", "CH", "BR", "US", "PL")),
        "line1": "‹word›",
        "line2": None,
        "postal_code": "«variant»",
        "state": None,
    }
    items = [
        {
            "id": "il_‹span›",
            "object": "line_item",
            "amount": "«cents»",
            "unit_amount_decimal": rnd.choice(("19.90", "0.0000125", "1e-7")),
            "quantity": "«small»",
            "currency": "‹currency›",
            "description": "‹message›",
            "discountable": "«bool»",
            "period": {"start": "«serial»", "end": "«serial»"},
            "price": {"id": "price_‹span›", "unit_amount": "«cents»", "tiers": None, "nickname": "«maybe»"},
            "tax_amounts": [{"amount": "«cents»", "inclusive": "«bool»", "rate": "«number»"}],
            "metadata": {},
        }
        for _ in range(rnd.randrange(1, 12))
    ]
    data = {
        "id": "evt_‹trace›",
        "object": "event",
        "api_version": "2026-09-30",
        "created": "«serial»",
        "livemode": "«bool»",
        "pending_webhooks": "«small»",
        "request": {"id": "req_‹span›", "idempotency_key": "‹uuid›"},
        "type": kind,
        "account": "‹customer.account›",
        "data": {
            "object": {
                "id": "ch_‹trace›",
                "object": kind.split(".")[0],
                "amount": "«cents»",
                "amount_captured": "«cents»",
                "amount_refunded": 0,
                "application_fee": None,
                "balance_transaction": "txn_‹trace›",
                "billing_details": {
                    "address": address,
                    "email": "‹customer.mail›",
                    "name": "‹customer.name›",
                    "phone": "«maybe»",
                },
                "captured": "«bool»",
                "currency": "‹currency›",
                "customer": "‹customer.id›",
                "description": "‹message›",
                "dispute": None,
                "failure_code": "«maybe»",
                "failure_message": None,
                "fraud_details": {},
                "metadata": {"order": "‹word›", "渠道": "‹word›", "weight": "«variant»", "score": "«number»"},
                "outcome": {
                    "network_status": "approved_by_network",
                    "reason": "«maybe»",
                    "risk_level": "normal",
                    "risk_score": "«number»",
                    "seller_message": "‹message›",
                    "type": "authorized",
                },
                "paid": True,
                "payment_method_details": {
                    "card": {
                        "amount_authorized": "«cents»",
                        "brand": "visa",
                        "exp_month": "«small»",
                        "exp_year": 2030,
                        "checks": {"address_line1_check": "«maybe»", "cvc_check": "pass"},
                        "fingerprint": "‹key›",
                        "funding": "credit",
                        "installments": None,
                        "last4": "‹customer.card›",
                        "three_d_secure": None,
                        "wallet": None,
                    },
                    "type": "card",
                },
                "receipt_url": "https://pay.example.com/receipts/‹token›",
                "refunds": {"object": "list", "data": [], "has_more": False, "total_count": "«small»"},
                "shipping": {
                    "address": address,
                    "carrier": "«maybe»",
                    "location": "«matrix»",
                    "name": "‹customer.name›",
                },
                "lines": {"object": "list", "data": items, "has_more": "«bool»"},
                "status": "succeeded",
                "transfer_data": None,
            },
            "previous_attributes": {"amount": "«variant»", "metadata": {"score": "«variant»"}},
        },
    }
    return envelope(
        f"com.example.{kind}",
        "/payments/‹customer.account›",
        "‹customer.id›",
        data,
        dataregion="‹currency›",
        livemode=rnd.random() < 0.5,
        attempt=rnd.randrange(3),
    )
