"""Several doors to one SQLite file in one process, as a service with engines has them."""

import subprocess
import sys
from pathlib import Path

from sqlalchemy import text

from trimtab.store import open_database

READ = """
import sys
from sqlalchemy import text
from trimtab.store import open_database
database = open_database(sys.argv[1])
with database.reading() as connection:
    print(connection.execute(text("SELECT n FROM seen")).scalar_one())
database.close()
"""


def test_what_is_written_after_a_second_opening_is_seen_by_other_processes(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'trimtab.db'}"
    first = open_database(url)
    with first.writing() as connection:
        connection.execute(text("CREATE TABLE seen (n INTEGER)"))
        connection.execute(text("INSERT INTO seen VALUES (1)"))
    second = open_database(url)
    seen = []
    for number in (2, 3):
        with first.writing() as connection:
            connection.execute(text("UPDATE seen SET n = :n"), {"n": number})
        # The last one to leave, by the locks that SQLite sees, takes the write-ahead log with it.
        done = subprocess.run([sys.executable, "-c", READ, url], capture_output=True, text=True, check=True, timeout=60)
        seen.append(int(done.stdout))
    first.close()
    second.close()

    assert seen == [2, 3]
