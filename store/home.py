"""A node's home: which files it has, who may write it, and the keys it keeps.

    home/node.toml     settings
    home/ledger.db     the archive; safe to hand out
    home/people.db     what is personal, encrypted; never to be handed out
    home/mirror.db     the ledgers of the nodes below; safe to hand out
    home/witness.db    the newest checkpoint of each ledger that this node has cosigned
    home/access.db     who may ask: users, tokens, looks
    home/drafts.db     what waits for a second signature; never to be handed out
    home/halfsigned.db what one person has signed on a phone and another has not; goes onto the ledger or is forgotten
    home/wishes.db     what people ask the desk for; never to be handed out
    home/evidence/     signed proof of ledgers that forked or were rolled back
    home/keys/*.pem    private keys
    home/lock          held by the one process that writes

A home is made under another name and moved into place, so that a crash leaves no half of one.
"""

import fcntl
import glob
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from gettext import gettext as _
from pathlib import Path

from chain.keys import MldsaSigningKey, SigningKey
from store.keyfiles import read_key, write_key
from store.log import StoreError
from store.settings import NodeSettings, name_line, parse_settings

DIRECTORY_MODE = 0o700
DRAFT_PREFIX = ".{name}.new-"
"""Of the folder that a home is made in, beside where it is to stand."""
FILE_MODE = 0o600
SETTINGS_MAX_BYTES = 65_536
KEY_FILE = re.compile(r"(clerk|member|authority|assessor|volunteer|recipient|guardian)-([0-9a-f]{16})\.pem")
NODE_KEY, NODE_MLDSA_KEY = "node.pem", "node-mldsa.pem"
PEOPLE_KEY = "people.pem"
"""Opens the dossiers, and signs nothing: it stays when the node's keys are changed."""
NEXT_KEY, NEXT_MLDSA_KEY = "node-next.pem", "node-mldsa-next.pem"
"""The node's keys while they are being changed: they take the others' place once the log says so."""


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of one node."""

    folder: Path

    @property
    def settings(self) -> Path:
        return self.folder / "node.toml"

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger.db"

    @property
    def people(self) -> Path:
        return self.folder / "people.db"

    @property
    def keys(self) -> Path:
        return self.folder / "keys"

    @property
    def mirror(self) -> Path:
        return self.folder / "mirror.db"

    @property
    def witness(self) -> Path:
        return self.folder / "witness.db"

    @property
    def access(self) -> Path:
        return self.folder / "access.db"

    @property
    def drafts(self) -> Path:
        return self.folder / "drafts.db"

    @property
    def evidence(self) -> Path:
        return self.folder / "evidence"

    def node_settings(self) -> NodeSettings:
        """What ``node.toml`` says; raises StoreError where there is no node here, or one of its lines is wrong."""
        try:
            with self.settings.open("rb") as file:
                raw = file.read(SETTINGS_MAX_BYTES + 1)
            if len(raw) > SETTINGS_MAX_BYTES:
                raise StoreError(_("{path} is too large").format(path=self.settings))
            text = raw.decode()
        except FileNotFoundError:
            missing = _("there is no node in {folder}: make one with `huzhu init`, or name it with --home")
            raise StoreError(missing.format(folder=self.folder)) from None
        except (OSError, ValueError) as error:
            raise StoreError(_("{path} cannot be read: {error}").format(path=self.settings, error=error)) from error
        return parse_settings(text, self.settings)

    def origin(self) -> str:
        """The ledger's name as ``node.toml`` has it."""
        return self.node_settings().origin

    def set_name(self, name: str) -> None:
        """Write what people call the ledger; while a home is being made, when nothing else stands below its origin."""
        try:
            with self.settings.open("a", encoding="utf-8") as file:
                file.write(name_line(name))
        except OSError as error:
            raise self._not_writable(error) from error

    def key_files(self, role: str) -> list[tuple[str, Path]]:
        """Key id and file of each private key of that role that is kept here, in order of key id."""
        names = sorted(path.name for path in self.keys.glob(f"{role}-*.pem"))
        found = (KEY_FILE.fullmatch(name) for name in names)
        return [(match[2], self.keys / match[0]) for match in found if match is not None]

    def signing_key(self, path: Path, passphrase: bytes | None) -> SigningKey:
        """The Ed25519 key in a file."""
        key = read_key(path, passphrase)
        if not isinstance(key, SigningKey):
            raise StoreError(_("{path} holds no Ed25519 key").format(path=path))
        return key

    def mldsa_key(self, path: Path, passphrase: bytes | None) -> MldsaSigningKey | None:
        """The ML-DSA-44 key in a file, where there is one."""
        if not path.exists():
            return None
        key = read_key(path, passphrase)
        if not isinstance(key, MldsaSigningKey):
            raise StoreError(_("{path} holds no ML-DSA-44 key").format(path=path))
        return key

    def add_key(self, role: str, key: SigningKey, passphrase: bytes | None) -> Path:
        """Keep a person's key."""
        path = self.keys / f"{role}-{key.id}.pem"
        write_key(path, key, passphrase)
        return path

    def drop_key(self, role: str, key_id: str) -> None:
        """Remove a person's key that nobody granted."""
        (self.keys / f"{role}-{key_id}.pem").unlink(missing_ok=True)

    def people_secret(self, passphrase: bytes | None) -> bytes:
        """The 32 bytes under which the keys of dossiers lie."""
        return self.signing_key(self.keys / PEOPLE_KEY, passphrase).seed

    def promote_next_keys(self) -> None:
        """Put the node's next keys in the place of its keys. May be called again where a crash came between."""
        for next_name, name in ((NEXT_MLDSA_KEY, NODE_MLDSA_KEY), (NEXT_KEY, NODE_KEY)):
            if (self.keys / next_name).exists():
                (self.keys / next_name).replace(self.keys / name)

    def drop_next_keys(self) -> None:
        """Forget next keys that the log does not know."""
        for name in (NEXT_KEY, NEXT_MLDSA_KEY):
            (self.keys / name).unlink(missing_ok=True)

    @contextmanager
    def lock(self, waits: Iterable[object] = ()) -> Iterator[None]:
        """Hold the home for writing; raises StoreError where another process does. Its end lets go of it, however.

        It is tried again after each item of ``waits``: whoever gives them decides how long an item takes. Whoever waits
        has taken a turn first, which is a lock on the folder itself: a service that writes one batch after another
        cannot come in between.
        """
        try:
            turn = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise self._not_writable(error) from error
        try:
            descriptor = self._take(turn, iter(waits))
        finally:
            os.close(turn)
        try:
            yield
        finally:
            os.close(descriptor)

    def _take(self, turn: int, waits: Iterator[object]) -> int:
        """Wait for the turn and then for the lock; answers its descriptor."""
        try:
            descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        except OSError as error:
            raise self._not_writable(error) from error
        try:
            for each in (turn, descriptor):
                if not _is_locked(each) and not any(_is_locked(each) for _wait in waits):
                    text = _("another process writes {path}: wait for it to end, or stop it")
                    raise StoreError(text.format(path=self.folder))
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _not_writable(self, error: OSError) -> StoreError:
        text = _("{path} cannot be written: {error}")
        return StoreError(text.format(path=self.folder, error=error.strerror))


def _is_locked(descriptor: int) -> bool:
    """Try to lock the file; whether it is ours now."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_vacant(folder: Path) -> bool:
    """Whether a home can be made there: nothing stands there, or an empty folder."""
    return not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))


def drop_drafts(folder: Path) -> None:
    """Remove what was left where a home was being made and the process was killed: nobody holds its lock."""
    for draft in folder.absolute().parent.glob(f"{DRAFT_PREFIX.format(name=glob.escape(folder.name))}????????"):
        with suppress(StoreError), Home(draft).lock():
            shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def new_home(folder: Path, origin: str) -> Iterator[Home]:
    """A home to fill; it comes to stand at ``folder`` where the block ends well, and leaves nothing otherwise."""
    folder = folder.absolute()
    if not is_vacant(folder):
        raise StoreError(_("{folder} exists already and is not empty: choose another --home").format(folder=folder))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        drop_drafts(folder)
        draft = Home(Path(tempfile.mkdtemp(prefix=DRAFT_PREFIX.format(name=folder.name), dir=folder.parent)))
    except OSError as error:
        raise StoreError(_("{path} cannot be made: {error}").format(path=folder, error=error.strerror)) from error
    try:
        draft.keys.mkdir(DIRECTORY_MODE)
        draft.settings.write_text(f'# A node of the Huzhu time bank.\norigin = "{origin}"\n')
        draft.settings.chmod(FILE_MODE)
        with draft.lock():
            yield draft
            draft.folder.replace(folder)
    except OSError as error:
        raise StoreError(_("{path} cannot be made: {error}").format(path=folder, error=error.strerror)) from error
    finally:
        shutil.rmtree(draft.folder, ignore_errors=True)
