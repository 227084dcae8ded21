//! `tidemill serve`: the model server over the project's registry, a folder of versions, or an object store.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use tidemill_cli::serve::Sources;
use tidemill_core::{Code, Failure};
use tidemill_project::{EndpointFile, EndpointSource, Mirror, RegistrySource, SqliteJobs, cache_dir, connectors};
use tidemill_serving::jobs::JobStore;
use tidemill_serving::{ConfiguredSource, ModelConfig, Source};

use crate::cli::{Global, ServeArgs};
use crate::commands::endpoint::workspace_of;
use crate::commands::{find_project, say};

pub async fn serve(args: &ServeArgs, global: &Global) -> Result<u8, Failure> {
    tidemill_cli::serve::serve(args, global, &ProjectSources { global }).await
}

struct ProjectSources<'a> {
    global: &'a Global,
}

#[async_trait]
impl Sources for ProjectSources<'_> {
    async fn registry(&self, versions_max: usize) -> Result<Arc<dyn Source>, Failure> {
        let project = find_project(None, self.global)?;
        let workspace = match project.open().await {
            Err(refused) if refused.code == Code::StoreUnavailable => {
                // A full or read-only disk: the registry can still be read.
                let workspace = project.open_to_read().await.map_err(|_| refused)?;
                say(
                    self.global,
                    "warning: the store cannot be written to: versions registered from now on are not seen",
                );
                workspace
            }
            opened => opened?,
        };
        let registry = RegistrySource::new(workspace, versions_max);
        Ok(Arc::new(EndpointSource::applied(project.endpoints(), registry)))
    }

    async fn endpoint(&self, file: &Path, versions_max: usize) -> Result<Arc<dyn Source>, Failure> {
        let file = EndpointFile::read(file)?;
        let workspace = workspace_of(&file, self.global).await?;
        file.check(workspace.as_ref()).await?;
        let registry = workspace.map(|workspace| RegistrySource::new(workspace, versions_max));
        Ok(Arc::new(EndpointSource::of_file(file, registry)))
    }

    async fn jobs(&self) -> Result<Option<Arc<dyn JobStore>>, Failure> {
        let project = find_project(None, self.global)?;
        if !project.store_dir().is_dir() {
            return Ok(None);
        }
        match SqliteJobs::open(&project.store_dir().join("jobs.db")).await {
            Ok(jobs) => Ok(Some(Arc::new(jobs))),
            Err(failure) => {
                // A full or read-only disk: requests are answered all the same.
                let causes = failure.causes.iter().map(|cause| format!(": {cause}")).collect::<String>();
                say(self.global, &format!("warning: asynchronous requests are not taken: {failure}{causes}"));
                Ok(None)
            }
        }
    }

    fn remote(&self, name: String, url: &str) -> Result<Arc<dyn Source>, Failure> {
        let versions = |folder: &Path| ConfiguredSource::new(vec![ModelConfig::new(name, folder.to_owned())]);
        Ok(Arc::new(Mirror::new(connectors(), url, &cache_dir(), versions)))
    }
}
