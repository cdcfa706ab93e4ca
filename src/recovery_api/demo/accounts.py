"""The accounts of the demo world: everybody who can sign in with a token can sign in at the pages too."""

from recovery_api.demo.sign_ins import SIGN_INS
from recovery_api.identity.accounts import Account, Accounts

PASSWORD = "one-step-at-a-time"  # noqa: S105 - the world is made up, served to its own machine only, and the password is printed


async def open_accounts(accounts: Accounts) -> list[str]:
    """Make the accounts that are not there yet; gives the names of all."""
    people = [
        Account(username=each.name, role=each.role, fhir_user=each.user, organization=each.organization, patient=each.patient)
        for each in SIGN_INS
        if each.user
    ]
    there = {account.username for account in await accounts.all()}
    for person in people:
        if person.username not in there:
            await accounts.add(person, PASSWORD)
    return [person.username for person in people]
