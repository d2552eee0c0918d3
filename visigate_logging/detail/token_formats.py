"""Formats of tokens that are known by their look: data, each with a text that it must match.

Some of the facts are those of gitleaks' rules (MIT), the others are commonly known; the expressions are our own.
"""

from typing import NamedTuple


class Token(NamedTuple):
    """One format.

    Args:
        issuer: whose token it is.
        pattern: regular expression, beginning with the letters by which it is known.
        sample: a made-up text of that form.
    """

    issuer: str
    pattern: str
    sample: str


_A = "aB3dE6gH9jK2mN5pQ8sT1vW4xY7zA0cD3fG6hJ9kL2nP5rS8uV1wX4yZ7"
_H = "0123456789abcdef"

TOKENS = (
    Token("JSON Web Token, RFC 7519", r"eyJ[\w\-]{5,}\.[\w\-.]*", f"eyJ{_A[:12]}.{_A[:20]}.{_A[:30]}"),
    Token("age", r"AGE-SECRET-KEY-1[A-Z0-9]{50,}", "AGE-SECRET-KEY-1" + "QPZRY9X8" * 7 + "GF"),
    Token("Alibaba Cloud", r"LTAI[A-Za-z0-9]{12,24}", f"LTAI{_A[:20]}"),
    Token("Amazon Web Services", r"(?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}", "AKIA" + "QWER2345" * 2),
    Token("Anthropic, OpenAI and others", r"sk-[A-Za-z0-9_\-]{20,}", f"sk-ant-api03-{_A}"),
    Token("Artifactory", r"AKCp[A-Za-z0-9]{60,}", f"AKCp{_A}{_A[:12]}"),
    Token("Atlassian", r"ATATT3[A-Za-z0-9_\-=]{60,}", f"ATATT3{_A}{_A[:20]}"),
    Token("Databricks", r"dapi[a-f0-9]{32}", f"dapi{_H * 2}"),
    Token("DigitalOcean", r"do[opr]_v1_[a-f0-9]{64}", f"dop_v1_{_H * 4}"),
    Token("Discord", r"[MNO][\w\-]{23,27}\.[\w\-]{6}\.[\w\-]{27,38}", f"M{_A[:23]}.Ab3dE6.{_A[:27]}"),
    Token("Doppler", r"dp\.(?:pt|st|ct)\.[A-Za-z0-9]{40,}", f"dp.pt.{_A[:43]}"),
    Token("Fly.io", r"fo1_[\w\-]{43}", f"fo1_{_A[:43]}"),
    Token("GitHub", r"(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,})", f"ghp_{_A[:36]}"),
    Token("GitLab", r"gl(?:pat|dt|rt|ptt|cbt|soat|agent|imt|ffct|ft|oas)-[A-Za-z0-9_\-.]{20,}", f"glpat-{_A[:20]}"),
    Token("Google API", r"AIza[A-Za-z0-9_\-]{30,}", f"AIza{_A[:35]}"),
    Token("Google OAuth", r"(?:GOCSPX-[A-Za-z0-9_\-]{20,}|ya29\.[A-Za-z0-9_\-]{20,})", f"GOCSPX-{_A[:28]}"),
    Token("Grafana", r"gl(?:c_[A-Za-z0-9+/=]{32,}|sa_[A-Za-z0-9]{32}_[a-f0-9]{8})", f"glsa_{_A[:32]}_{_H[:8]}"),
    Token("HashiCorp Vault", r"hv[sbr]\.[A-Za-z0-9_\-]{24,}", f"hvs.{_A[:30]}"),
    Token("Heroku", r"HRKU-[A-Za-z0-9_\-]{30,}", f"HRKU-{_A[:40]}"),
    Token("Hugging Face", r"hf_[A-Za-z0-9]{30,}", f"hf_{_A[:34]}"),
    Token("Linear", r"lin_api_[A-Za-z0-9]{40}", f"lin_api_{_A[:40]}"),
    Token("Mailgun", r"key-[a-f0-9]{32}", f"key-{_H * 2}"),
    Token("Netlify", r"nfp_[A-Za-z0-9]{36,}", f"nfp_{_A[:36]}"),
    Token("New Relic", r"NRAK-[A-Z0-9]{27}", "NRAK-" + "QWERT2345" * 3),
    Token("Notion", r"ntn_[A-Za-z0-9]{40,}", f"ntn_{_A[:46]}"),
    Token("npm", r"npm_[A-Za-z0-9]{36}", f"npm_{_A[:36]}"),
    Token("Postman", r"PMAK-[a-f0-9]{24}-[a-f0-9]{34}", f"PMAK-{_H}{_H[:8]}-{_H * 2}ab"),
    Token("Pulumi", r"pul-[a-f0-9]{40}", f"pul-{_H * 2}{_H[:8]}"),
    Token("PyPI", r"pypi-AgE[A-Za-z0-9_\-]{40,}", f"pypi-AgE{_A}"),
    Token("RubyGems", r"rubygems_[a-f0-9]{48}", f"rubygems_{_H * 3}"),
    Token("SendGrid", r"SG\.[A-Za-z0-9_\-]{16,32}\.[A-Za-z0-9_\-]{32,64}", f"SG.{_A[:22]}.{_A[:43]}"),
    Token("Sentry", r"sntry[su]_[A-Za-z0-9+/=_]{40,}", f"sntrys_{_A}"),
    Token("Shopify", r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}", f"shpat_{_H * 2}"),
    Token("Slack", r"(?:xox[abeprs](?:\.xox[bp])?|xapp-\d)-[A-Za-z0-9\-]{10,}", f"xoxb-1234567890-{_A[:24]}"),
    Token("Square", r"(?:sq0[a-z]{3}-[A-Za-z0-9_\-]{22,}|EAAA[A-Za-z0-9_\-]{60})", f"sq0atp-{_A[:22]}"),
    Token("Stripe", r"(?:[sr]k_(?:live|test|prod)_[A-Za-z0-9]{10,}|whsec_[A-Za-z0-9+/=]{24,})", f"sk_live_{_A[:24]}"),
    Token("Supabase", r"sb(?:p_[a-f0-9]{40}|_secret_[A-Za-z0-9_\-]{20,})", f"sbp_{_H * 2}{_H[:8]}"),
    Token("Tailscale", r"tskey-[a-z]{3,12}-[A-Za-z0-9\-]{10,}", f"tskey-auth-{_A[:12]}-{_A[:20]}"),
    Token("Telegram", r"\d{8,10}:A[A-Za-z0-9_\-]{34}", f"123456789:A{_A[:34]}"),
    Token("Twilio", r"SK[a-f0-9]{32}", f"SK{_H * 2}"),
)  # fmt: skip
