"""The database and the broker of one start: given by URL, or embedded."""

from dataclasses import dataclass

from supportbot.embedded.datadir import DataDir
from supportbot.embedded.postgres import PostgresServer
from supportbot.embedded.supervisor import Supervisor
from supportbot.embedded.valkey import ValkeyServer
from supportbot.installation.plan import Plan
from supportbot.installation.runtime import Secrets
from supportbot.redisaddress import database_at


@dataclass(frozen=True)
class Servers:
    """A part is None when a URL of the environment takes its place."""

    plan: Plan
    data: DataDir
    postgres: PostgresServer | None
    valkey: ValkeyServer | None

    @classmethod
    def for_plan(cls, plan: Plan, data: DataDir, secrets: Secrets) -> "Servers":
        instance = data.instance()
        postgres = valkey = None
        if not plan.database_url:
            postgres = PostgresServer(
                data.postgres_home(),
                password=secrets.database_password,
                port=instance.postgres_port,
                log=data.logs / "postgres.log",
            )
        if not plan.redis_url:
            valkey = ValkeyServer(
                data.path / "valkey",
                password=secrets.valkey_password,
                port=instance.valkey_port,
                log=data.logs / "valkey.log",
            )
        return cls(plan, data, postgres, valkey)

    def start(self, supervisor: Supervisor) -> None:
        supervisor.start([server for server in (self.postgres, self.valkey) if server is not None])
        instance = self.data.instance()
        self.data.remember_servers(
            postgres_home=self.postgres.home if self.postgres else None,
            postgres_port=self.postgres.port if self.postgres else instance.postgres_port,
            valkey_port=self.valkey.port if self.valkey else instance.valkey_port,
        )

    @property
    def database_url(self) -> str:
        return self.postgres.url() if self.postgres else self.plan.database_url or ""

    @property
    def redis_url(self) -> str:
        return self.valkey.url() if self.valkey else self.plan.redis_url or ""

    @property
    def broker_url(self) -> str:
        return self.plan.broker_url or database_at(self.redis_url, 0)
