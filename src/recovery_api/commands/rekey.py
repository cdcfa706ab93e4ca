"""`recovery-api rekey`: new keys to sign with."""

from typer import echo


def rekey() -> None:
    """Sign access tokens and id tokens with new keys from now on, in every running server with the same data folder.

    What older keys signed still counts, so nobody is signed out. Once the last of their tokens has expired, their files in
    `keys` (the lower numbers) can be deleted.
    """
    import os  # noqa: PLC0415 (commands import what they need when they run: `--help` stays quick)

    from recovery_api.identity.keys import KeyRing  # noqa: PLC0415
    from recovery_api.settings import load  # noqa: PLC0415

    ring = KeyRing(load(os.environ).data_dir / "keys")
    for algorithm in ("ES256", "RS256"):
        key = ring.rotate(algorithm)
        echo(f"{key.algorithm}, generation {key.generation}: {key.kid}")
