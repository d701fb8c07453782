"""Whether the stored vectors are those of the set embedder. No start is refused for it: search goes by words then."""

from kb.errors import EmbeddingUnavailable
from kb.ports import embedder
from supportbot.embedded.external import connect
from supportbot.installation.errors import StartRefused
from supportbot.installation.plan import Plan
from supportbot.installation.runtime import load_runtime


def check_index(plan: Plan) -> str:
    """Return what the index was built with. Raises StartRefused when searches go by words alone because of it."""
    runtime = load_runtime(plan.data_dir)
    url = plan.database_url or (runtime.database_url if runtime else None)
    if url is None:
        return "is looked at once the database runs"
    built_with = _recipe_in(url)
    if built_with is None:
        return "is empty"
    made = _recipe_of_embedder(plan)
    if made != built_with:
        raise StartRefused(
            f"The index holds vectors of {built_with}, KB_EMBEDDER={plan.embedder} makes those of {made}, so searches "
            "go by words alone: run `manage.py kb_reindex`, or set KB_EMBEDDER back."
        )
    return f"built with {built_with}"


def _recipe_in(url: str) -> str | None:
    with connect(url) as connection:
        known = connection.execute("SELECT to_regclass('kb_recipe') IS NOT NULL").fetchone()
        if known != (True,):
            return None
        row = connection.execute("SELECT name FROM kb_recipe WHERE is_active").fetchone()
    return None if row is None else str(row[0])


def _recipe_of_embedder(plan: Plan) -> str:
    try:
        return embedder().recipe.name
    except EmbeddingUnavailable as error:
        raise StartRefused(
            f"KB_EMBEDDER={plan.embedder} does not answer, so searches go by words alone: {error.message}"
        ) from error
    except ImportError as error:
        raise StartRefused(f"KB_EMBEDDER={plan.embedder} cannot be loaded: {error}.") from error
