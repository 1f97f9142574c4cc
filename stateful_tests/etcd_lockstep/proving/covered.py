"""Lies that can't be seen beside another one, each with the reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Covered:
    """Lies that change no answer of a store that has another one too."""

    behind: str
    """The other one."""
    lies: tuple[str, ...]
    reason: str
    """Why a store with both answers as one with `behind` alone."""


COVERED: tuple[Covered, ...] = (
    Covered(
        "any-option-means-count-only",
        (
            *("limit-ignored", "range-filters-ignored", "sort-ignored", "keys-only-returns-values", "unsorted-range"),
            "limit-before-sort",
            *("count-truncated", "more-missing", "filters-applied-to-count", "limit-zero-means-none"),
        ),
        "no read with an option brings a key, so that nothing shows which keys it would bring, or how",
    ),
    Covered("count-only-returns-kvs", ("any-option-means-count-only",), "no read is one of a count alone any more"),
    Covered(
        "prev-kv-always-present", ("prev-kv-absent",), "every put brings what was there, whether that was asked for"
    ),
    Covered(
        "zero-compare-on-absent-fails",
        ("missing-value-compares-as-empty",),
        "no compare of a key that is not there holds, whatever its value is taken for",
    ),
    Covered(
        "revoke-deletes-nothing",
        ("multi-key-revoke-bumps-many", "lock-key-outlives-lease"),
        "no key goes with a lease that is revoked, so that nothing shows which would, or in how many revisions",
    ),
    Covered(
        "lease-on-put-ignored",
        (
            *("multi-key-revoke-bumps-many", "fifo-lease-mapping", "stale-lease-queue", "re-put-keeps-old-attachment"),
            *("same-lease-re-put-detaches", "new-lease-re-put-keeps-old", "lease-bound-only-under-a-prefix"),
            *("delete-keeps-attachment", "delete-frees-siblings", "revoke-deletes-nothing"),
        ),
        "no key that is put goes with a lease, so that nothing shows what becomes of one that does",
    ),
    Covered(
        "operator-ignored", ("values-compared-as-numbers",), "of two values nothing is asked but whether they are equal"
    ),
    Covered("version-missing", ("aba",), "no version is shown, and so not that it goes on after a deletion"),
    Covered("lock-wait-never-ends", ("lock-woken-too-early",), "nobody who waits is woken"),
    *(
        Covered(other, ("roles-not-merged",), "its own check, of all roles together, permits what no single role does")
        for other in ("revoked-role-still-counts", "permission-range-end-ignored")
    ),
    Covered("lock-does-not-wait", ("lock-woken-too-early",), "nobody waits"),
    Covered("limit-ignored", ("limit-before-sort",), "no read has a limit"),
    Covered("per-key-revision", ("unsorted-range",), "every key is shown as created at the same revision, which sorts"),
    Covered(
        "prefix-delete-is-exact",
        ("any-option-means-prefix-delete",),
        "no delete takes more than one key, whatever it asks",
    ),
    Covered(
        "deleted-count-wrong",
        ("deleted-count-always-one",),
        "no delete says how many keys it deleted, be it one or none",
    ),
    Covered("failed-compare-raises", ("else-dropped",), "no txn whose compares fail answers with what its branch did"),
    Covered(
        "lease-id-zero",
        ("re-put-keeps-old-attachment",),
        "no key is put without a lease, so that none could lose its lease",
    ),
    Covered("fifo-lease-mapping", ("stale-lease-queue",), "the lease of every key is taken from a queue, stale or not"),
    Covered("lease-never-expires", ("expiry-deletes-one-key-only",), "no key goes because time has passed"),
    Covered("target-ignored", ("values-compared-as-numbers",), "no compare is of values"),
    Covered("watch-prev-kv-missing", ("watch-prev-kv-of-compacted",), "no event has what was there before"),
    Covered(
        "start-revision-ignored",
        ("watch-prev-kv-of-compacted",),
        "no watcher is sent events from before it was created",
    ),
    Covered(
        "txn-responses-missing",
        ("txn-responses-doubled", "no-read-your-writes"),
        "no txn shows the answers to its operations, and these lies are about nothing else",
    ),
)

_SAME_WORDS = (
    "a request that is refused in the same words is taken for the same lie, whatever else it is "
    "(`Signature.stands_alone` in searching/findings.py)"
)
_LESS_SHOWS_IT = (
    "it shows in the same field of the same answer after what shows the other one and a few steps more, each of which "
    "can be left out "
    "(`KnownFindings.explain` in searching/known.py)"
)
_ITS_ABSENCE = (
    "what is left without the option that it is about shows the other one, which is about requests without the option"
)
_PART_SHOWS_IT = "of its trace a part shows the other one in the same field (`KnownFindings.explain`)"
_ENOUGH = (
    "after three lies about compares that differ only in what they compare, others are taken for the same cause "
    "(`ENOUGH_OPTIONS` in searching/known.py)"
)
_SAME_OPTIONS = "which of several compares counts is no option of a txn, and both succeed where one of them fails"

TAKEN_FOR_ONE: dict[tuple[str, str], str] = {
    ("failed-compare-raises", "empty-compare-fails"): _SAME_WORDS,
    ("empty-compare-fails", "failed-compare-raises"): _SAME_WORDS,
    ("last-compare-wins", "only-first-compare"): _SAME_OPTIONS,
    ("only-first-compare", "last-compare-wins"): _SAME_OPTIONS,
    ("failed-compare-raises", "zero-compare-on-absent-fails"): _SAME_WORDS,
    ("delete-keeps-attachment", "re-put-keeps-old-attachment"): _LESS_SHOWS_IT,
    ("delete-keeps-attachment", "lease-id-zero"): _LESS_SHOWS_IT,
    ("limit-before-sort", "limit-zero-means-none"): _ITS_ABSENCE,
    ("zero-compare-on-absent-fails", "empty-compare-fails"): _ITS_ABSENCE,
    ("multi-key-revoke-bumps-many", "revoke-of-no-keys-bumps"): _PART_SHOWS_IT,
    ("missing-value-compares-as-empty", "operator-ignored"): _ENOUGH,
    ("target-ignored", "operator-ignored"): _ENOUGH,
    ("only-first-compare", "operator-ignored"): _ENOUGH,
    ("last-compare-wins", "operator-ignored"): _ENOUGH,
}
"""Lies, each with the other one, that can be seen and are not reported all the same, with the reason: what the search
does so that one cause does not fill pages. Once the other lie is mended, the next search reports them."""


def why_covered(lie: str, behind: str) -> str:
    """Why a lie is not reported beside another one; empty where it should be."""
    if (lie, behind) in TAKEN_FOR_ONE:
        return TAKEN_FOR_ONE[lie, behind]
    return next((row.reason for row in COVERED if row.behind == behind and lie in row.lies), "")
