"""What an API token may be used for. A token does nothing that its scopes do not name. Pure."""

READ = "read"
REVIEW = "holds:review"
AGENTS_WRITE = "agents:write"
POLICIES_WRITE = "policies:write"
EXPORT = "ledger:export"
INCIDENTS_WRITE = "incidents:write"
PEOPLE_WRITE = "people:write"
ASK = "decisions:ask"
ACCOUNT_WRITE = "account:write"
WEBHOOKS_WRITE = "webhooks:write"
SCOPES = frozenset(
    {
        READ,
        REVIEW,
        AGENTS_WRITE,
        POLICIES_WRITE,
        EXPORT,
        INCIDENTS_WRITE,
        PEOPLE_WRITE,
        ASK,
        ACCOUNT_WRITE,
        WEBHOOKS_WRITE,
    }
)
