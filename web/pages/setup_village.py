"""The set-up pages about the village: its name, its people and their passwords, the passphrase, the rules."""

from typing import Any

from anyio import to_thread
from fastapi import APIRouter, Request, Response

from ledger.parameters import DEFAULTS, format_parameters
from store.keyfiles import PASSPHRASE_MAX_BYTES
from store.settings import is_name
from web.access.passwords import PASSWORD_MIN_CHARACTERS, PasswordError, Passwords, new_password
from web.i18n import marked
from web.i18n import translate as _
from web.pages.forms import EMPTY, Form
from web.pages.kit import redirect
from web.pages.setup_kit import SetupKit, taken
from web.setup.answers import (
    MEMBERS,
    MEMBERS_MAX,
    MEMBERS_MIN,
    NAME_MAX_CHARACTERS,
    ORIGIN_MAX_CHARACTERS,
    PASSPHRASE,
    PASSWORDS,
    PEOPLE,
    RULES,
    THRESHOLD,
    THRESHOLD_MIN,
    VILLAGE,
    Answers,
    Village,
    check_name,
    check_officials,
    check_origin,
    check_parent,
)
from web.text import TIERS

VKEY_MAX_CHARACTERS, OFFICIALS_MAX_CHARACTERS = 400, 4_000
TYPED_MAX = 1_000
"""Of a password or passphrase."""
CHOICES: dict[str, tuple[str, str, int, int]] = {
    "record_within_days": (
        marked("Days within which a service must be recorded"),
        marked("Later ones are refused."),
        0,
        365,
    ),
    "posting_days": (
        marked("Days of public posting before an hour counts"),
        marked("Until then everybody can see it on the notice board and object; it shows as held."),
        0,
        365,
    ),
    "dispute_within_days": (
        marked("Days within which somebody may object to a service"),
        marked("An objection is looked into by two members who had no part in it."),
        0,
        365,
    ),
    "service_max_minutes": (marked("Minutes that one service may last at most"), "", 1, 1_440),
    "day_max_minutes": (marked("Minutes that one volunteer may serve on one day at most"), "", 1, 1_440),
    "unit_minutes": (
        marked("Minutes are counted in steps of"),
        marked("1 counts every minute; 30 counts half hours only."),
        1,
        60,
    ),
    "balance_max_minutes": (
        marked("Minutes that one person may have saved at most"),
        marked("0 sets no limit."),
        0,
        10_000_000,
    ),
    "overdraft_minutes": (
        marked("Minutes that somebody may owe"),
        marked("0: nobody can use more time than they have."),
        0,
        1_000_000,
    ),
}
"""Parameters in plain words: what it is, what it means, from, to."""


def village_router(kit: SetupKit) -> APIRouter:
    """The routes."""
    router = kit.router()

    @router.get("/setup/village")
    async def village(request: Request) -> Response:
        kit.check_step(request, VILLAGE)
        return _village_page(kit, request, EMPTY)

    @router.post("/setup/village")
    async def set_village(request: Request) -> Response:
        form = await kit.form(request)
        name = form.text("name", NAME_MAX_CHARACTERS, is_needed=True)
        origin = form.text("origin", ORIGIN_MAX_CHARACTERS, is_needed=True).casefold()
        tier = form.choice("tier", TIERS)
        vkey = form.text("parent", VKEY_MAX_CHARACTERS)
        officials = form.text("officials", OFFICIALS_MAX_CHARACTERS)
        if name and not is_name(name):
            form.flaw("name", _("write one line of letters, digits or Chinese characters"))
        if origin:
            taken(form, "origin", check_origin, origin)
        if vkey:
            taken(form, "parent", check_parent, vkey)
        if bool(vkey) != bool(officials):
            lacking = "officials" if vkey else "parent"
            form.flaw(lacking, _("the tier above gives both: its key and its officials' keys"))
        keys = taken(form, "officials", check_officials, officials) if officials else ()
        if form.flaws:
            return _village_page(kit, request, form, 422)
        kit.answers.village = Village(name, origin, tier or "village", vkey, keys)
        return kit.go_on()

    @router.get("/setup/people")
    async def people(request: Request) -> Response:
        kit.check_step(request, PEOPLE)
        return _people_page(kit, request, EMPTY, len(kit.answers.seats) - 1 if kit.answers.seats else MEMBERS)

    @router.post("/setup/people")
    async def set_people(request: Request) -> Response:
        form = await kit.form(request)
        kit.check_step(request, PEOPLE)
        count = form.number("members", MEMBERS_MIN, MEMBERS_MAX) or MEMBERS
        if form.get("more") or form.get("less"):
            count += 1 if form.get("more") else -1
            return _people_page(kit, request, form, max(MEMBERS_MIN, min(count, MEMBERS_MAX)))
        fields = ["clerk", *(f"member{number}" for number in range(1, count + 1))]
        names = _names(form, fields)
        threshold = form.number("threshold", THRESHOLD_MIN, len(names) - 1) or THRESHOLD
        if form.flaws:
            return _people_page(kit, request, form, count, 422)
        kit.answers.seat_people(names, threshold)
        return kit.go_on()

    @router.get("/setup/passwords")
    async def passwords(request: Request) -> Response:
        kit.check_step(request, PASSWORDS)
        return kit.page(request, "passwords.html")

    @router.get("/setup/passwords/{place}")
    async def password(request: Request, place: int) -> Response:
        kit.check_step(request, PASSWORDS)
        return _password_page(kit, request, EMPTY, place)

    @router.post("/setup/passwords/{place}")
    async def set_password(request: Request, place: int) -> Response:
        form = await kit.form(request)
        kit.check_step(request, PASSWORDS)
        if not 0 <= place < len(kit.answers.seats):
            return redirect("/setup/passwords")
        seat = kit.answers.seats[place]
        typed = form.get("password")[:TYPED_MAX]
        taken(form, "password", lambda text: new_password(seat.name, text), typed)
        if not form.flaws and form.get("again")[:TYPED_MAX] != typed:
            form.flaw("again", _("this is another than the one above: type both again"))
        if form.flaws:
            return _password_page(kit, request, form, place, 422)
        seat.hashed = await to_thread.run_sync(lambda: Passwords().hash(typed))
        following = [number for number, each in enumerate(kit.answers.seats) if not each.hashed]
        return redirect(f"/setup/passwords/{following[0]}") if following else kit.go_on()

    @router.get("/setup/passphrase")
    async def passphrase(request: Request) -> Response:
        kit.check_step(request, PASSPHRASE)
        return kit.page(request, "passphrase.html", form=EMPTY, least=PASSWORD_MIN_CHARACTERS)

    @router.post("/setup/passphrase")
    async def set_passphrase(request: Request) -> Response:
        form = await kit.form(request)
        kit.check_step(request, PASSPHRASE)
        if form.is_on("plain"):
            kit.answers.protect(None)
            return kit.go_on()
        kept = kit.answers.passphrase
        if kept is not None and not form.get("passphrase"):
            return kit.go_on()
        made = read_passphrase(form)
        if made is None:
            return kit.page(request, "passphrase.html", 422, form=form, least=PASSWORD_MIN_CHARACTERS)
        kit.answers.protect(made)
        return kit.go_on()

    @router.get("/setup/rules")
    async def rules(request: Request) -> Response:
        kit.check_step(request, RULES)
        return _rules_page(kit, request, EMPTY)

    @router.post("/setup/rules")
    async def set_rules(request: Request) -> Response:
        form = await kit.form(request)
        kit.check_step(request, RULES)
        values = {name: form.number(name, least, most) for name, (_label, _hint, least, most) in CHOICES.items()}
        service, day = values["service_max_minutes"], values["day_max_minutes"]
        if service is not None and day is not None and service > day:
            form.flaw("service_max_minutes", _("one service cannot last longer than a volunteer may serve on one day"))
        if form.flaws:
            return _rules_page(kit, request, form, 422)
        default = format_parameters(DEFAULTS)
        kit.answers.overrides = {name: value for name, value in values.items() if value != default[name]}
        kit.answers.has_seen_rules = True
        return kit.go_on()

    return router


def read_passphrase(form: Form) -> bytes | None:
    """A new passphrase, typed twice; None, and flaws, where it is none."""
    typed = form.get("passphrase")
    if len(typed.encode(errors="surrogatepass")) > PASSPHRASE_MAX_BYTES or not typed.isprintable():
        form.flaw("passphrase", _("the passphrase is too long, or has characters that cannot be typed"))
    else:
        try:
            new_password("", typed)
        except PasswordError:
            text = _("a passphrase has at least {least} characters, and not the same few over and over: choose another")
            form.flaw("passphrase", text.format(least=PASSWORD_MIN_CHARACTERS))
    if not form.flaws and form.get("passphrase2") != typed:
        form.flaw("passphrase2", _("this is another than the one above: type both again"))
    return None if form.flaws else typed.encode()


def _names(form: Form, fields: list[str]) -> list[str]:
    """The names in these fields, each once."""
    names: list[str] = []
    for name in fields:
        typed = form.text(name, NAME_MAX_CHARACTERS, is_needed=True)
        folded = taken(form, name, check_name, typed) if typed else None
        if folded in names:
            form.flaw(name, _("this name stands above already: each person has one of their own"))
        names.append(folded or "")
    return names


def _village_page(kit: SetupKit, request: Request, form: Form, status: int = 200) -> Response:
    known = kit.answers.village
    officials = "" if known is None else "\n".join(_encoded(each) for each in known.officials)
    tiers = [(code, _(text)) for code, text in TIERS.items()]
    return kit.page(request, "village.html", status, form=form, known=known, tiers=tiers, officials=officials)


def _encoded(key: bytes) -> str:
    from chain.encoding import format_base64

    return format_base64(key)


def _people_page(kit: SetupKit, request: Request, form: Form, count: int, status: int = 200) -> Response:
    known = [seat.name for seat in kit.answers.seats]
    known += [""] * (1 + MEMBERS_MAX - len(known))
    values: dict[str, Any] = {"known": known, "count": count, "least": MEMBERS_MIN, "most": MEMBERS_MAX}
    return kit.page(request, "people.html", status, form=form, threshold=kit.answers.threshold, **values)


def _password_page(kit: SetupKit, request: Request, form: Form, place: int, status: int = 200) -> Response:
    if not 0 <= place < len(kit.answers.seats):
        return redirect("/setup/passwords")
    seat = kit.answers.seats[place]
    return kit.page(request, "password.html", status, form=form, seat=seat, place=place, least=PASSWORD_MIN_CHARACTERS)


def _rules_page(kit: SetupKit, request: Request, form: Form, status: int = 200) -> Response:
    plain = format_parameters(kit.answers.parameters())
    rows = [(name, _(label), _(hint) if hint else "", plain[name]) for name, (label, hint, _l, _m) in CHOICES.items()]
    return kit.page(request, "rules.html", status, form=form, rows=rows)


def summary(answers: Answers) -> list[tuple[str, str, str]]:
    """What will be made: label, value, and where to change it."""
    village = answers.village
    if village is None:
        return []
    clerk, *members = [seat.name for seat in answers.seats]
    keys = _("open on the disk, without a passphrase") if answers.is_plain else _("under the passphrase")
    changed = _("as proposed") if not answers.overrides else _("changed by you: {count}").format(
        count=len(answers.overrides)
    )
    return [
        (_("Village"), village.name, VILLAGE),
        (_("Name of the ledger"), village.origin, VILLAGE),
        (_("Tier"), _(TIERS[village.tier]), VILLAGE),
        (_("The tier above"), village.parent_vkey.partition("+")[0] or _("none"), VILLAGE),
        (_("Clerk"), clerk, PEOPLE),
        (_("Members"), _(", ").join(members), PEOPLE),
        (_("Members who must sign together for what is grave"), str(answers.threshold), PEOPLE),
        (_("Keys"), keys, PASSPHRASE),
        (_("Rules"), changed, RULES),
    ]
