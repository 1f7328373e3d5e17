//! A `keyward serve` with an auth server of its own.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use keyward::testing::TestIssuer;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection as _, SqliteConnection};
use tempfile::TempDir;

use crate::client::Connection;
use crate::cluster::Cluster;
use crate::http_auth_server::HttpAuthServer;
use crate::keyward_process::Keyward;

/// How long a load lasts, unless it is to soak.
pub fn load_time() -> Duration {
    let soak = std::env::var("KEYWARD_SOAK_SECONDS").ok();
    let soak = soak.and_then(|seconds| seconds.parse().ok());
    soak.map_or(Duration::from_millis(1500), Duration::from_secs)
}

/// A database that outlives the processes that use it.
pub enum Database {
    Sqlite(TempDir),
    Postgres { url: String, cluster: Arc<Cluster> },
}

impl Database {
    pub fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().unwrap())
    }

    pub async fn postgres() -> Self {
        Self::on(Cluster::shared).await
    }

    /// On a cluster that no other test uses.
    pub async fn postgres_alone() -> Self {
        Self::on(|| Arc::new(Cluster::start())).await
    }

    async fn on(cluster: impl FnOnce() -> Arc<Cluster> + Send + 'static) -> Self {
        let started = tokio::task::spawn_blocking(|| {
            let cluster = cluster();
            (cluster.create_database(), cluster)
        });
        let (url, cluster) = started.await.unwrap();
        Self::Postgres { url, cluster }
    }

    pub fn url(&self) -> String {
        match self {
            Self::Sqlite(_) => format!("sqlite://{}", self.file().display()),
            Self::Postgres { url, .. } => url.clone(),
        }
    }

    /// SQLite's file.
    pub fn file(&self) -> PathBuf {
        match self {
            Self::Sqlite(directory) => directory.path().join("tasks.db"),
            Self::Postgres { .. } => panic!("PostgreSQL has no file of ours"),
        }
    }

    pub fn cluster(&self) -> Arc<Cluster> {
        match self {
            Self::Postgres { cluster, .. } => cluster.clone(),
            Self::Sqlite(_) => panic!("SQLite has no server"),
        }
    }

    /// A connection to SQLite's file, beside those of the service.
    pub async fn open_file(&self) -> SqliteConnection {
        let options: SqliteConnectOptions = self.url().parse().unwrap();
        options.connect().await.unwrap()
    }

    /// Runs something on the PostgreSQL server.
    pub async fn on_cluster<T: Send + 'static>(
        &self,
        work: impl FnOnce(Arc<Cluster>, String) -> T + Send + 'static,
    ) -> T {
        let (cluster, url) = (self.cluster(), self.url());
        tokio::task::spawn_blocking(move || work(cluster, url))
            .await
            .unwrap()
    }

    /// Asks SQLite whether its file is whole.
    pub async fn is_intact(&self) {
        let mut connection = self.open_file().await;
        let check: String = sqlx::query_scalar("PRAGMA integrity_check")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert_eq!(check, "ok");
        connection.close().await.unwrap();
    }

    /// Lets go of it where that may take a moment.
    pub async fn close(self) {
        tokio::task::spawn_blocking(move || drop(self))
            .await
            .unwrap();
    }
}

/// Whose keys the service has.
pub struct Auth {
    server: HttpAuthServer,
    pub issuer: TestIssuer,
}

impl Auth {
    pub async fn start() -> Self {
        let (server, issuer) = HttpAuthServer::start().await;
        Self { server, issuer }
    }

    /// Starts the service on a database.
    pub async fn serve(&self, database: &str, variables: &[(&str, &str)]) -> Keyward {
        let mut all = vec![
            ("BETTER_AUTH_URL", &*self.server.url),
            ("DATABASE_URL", database),
        ];
        all.extend(variables);
        let keyward = Keyward::serve(&all).await;
        // Keys are fetched in the background.
        let mut connection = Connection::open(&keyward).await;
        let token = self.issuer.token("first");
        let me = connection.call("GET", "/api/me", &token, None).await;
        assert_eq!(me.unwrap().status, 200);
        keyward
    }
}

/// A service on a SQLite file of its own, and a token for it.
pub struct Service {
    pub keyward: Keyward,
    pub auth: Auth,
    pub token: String,
    _database: Database,
}

impl Service {
    pub async fn start(variables: &[(&str, &str)]) -> Self {
        let (auth, database) = (Auth::start().await, Database::sqlite());
        let keyward = auth.serve(&database.url(), variables).await;
        let token = auth.issuer.token("ada");
        Self {
            keyward,
            auth,
            token,
            _database: database,
        }
    }

    pub async fn connect(&self) -> Connection {
        Connection::open(&self.keyward).await
    }
}

/// Says how many cases of a kind were tried, for whoever counts them.
pub fn ran(cases: usize, kind: &str) {
    println!("ran {cases} cases: {kind}");
}
