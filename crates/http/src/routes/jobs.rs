//! `/admin/jobs`: what is done by itself, and when.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::Serialize;
use tidegate_application::jobs::{JobStatus, Jobs};
use tidegate_domain::job::Run;
use tidegate_domain::permission::Administer;
use utoipa::ToSchema;

use crate::auth::Require;
use crate::error::ApiError;
use crate::extract::path;
use crate::route::{Access, RouteSpec};

/// The routes. [`Jobs`] has to be among the application's data.
pub fn routes() -> Vec<RouteSpec> {
    vec![
        RouteSpec::get("/admin/jobs", "listJobs", "Jobs with their last runs")
            .tag("admin")
            .access(Access::Admin)
            .answers::<JobList>(200, "All of them")
            .to(list),
        RouteSpec::post("/admin/jobs/{name}/run", "runJob", "Do a job now")
            .description(
                "It goes on by itself; `GET /admin/jobs` tells its end. Idempotency-Key is \
                 ignored here: a job that is being done is a 409.",
            )
            .tag("admin")
            .access(Access::Admin)
            .answers::<Begun>(202, "It was begun")
            .answers_plain(404, "There is no such job")
            .answers_plain(409, "It is being done, here or on another node")
            .to(run),
    ]
}

/// The jobs.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobList {
    jobs: Vec<JobView>,
}

/// A job.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Job)]
pub struct JobView {
    /// Its name.
    name: &'static str,
    /// What it does.
    summary: &'static str,
    /// When it is due, as a cron expression in UTC; null: only when it is asked for.
    schedule: Option<String>,
    /// When it is due next.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_due_at: Option<DateTime<Utc>>,
    /// Its last runs, newest first.
    runs: Vec<Run>,
}

impl From<JobStatus> for JobView {
    fn from(job: JobStatus) -> Self {
        Self {
            name: job.name,
            summary: job.summary,
            schedule: job.schedule,
            next_due_at: job.next_due_at,
            runs: job.runs,
        }
    }
}

/// A run that was begun.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JobBegun)]
pub struct Begun {
    /// Its number.
    run_id: i64,
}

async fn list(
    Require(auth): Require<Administer>,
    jobs: web::Data<Jobs>,
) -> Result<HttpResponse, ApiError> {
    let jobs = jobs
        .list(&auth)
        .await?
        .into_iter()
        .map(JobView::from)
        .collect();
    Ok(HttpResponse::Ok().json(JobList { jobs }))
}

async fn run(
    Require(auth): Require<Administer>,
    jobs: web::Data<Jobs>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let name = path::text(&request, "name")?;
    let run_id = jobs.run_now(&auth, &name).await?;
    Ok(HttpResponse::Accepted().json(Begun { run_id }))
}
