//! The app registry of an account.

use super::{Administration, Look, Made, Write, made, not_found};
use crate::directory::{Command, CreateApp, DeleteApp, UpdateApp};
use crate::node::NodeError;
use crate::service::page::Page;
use crate::service::proto;
use crate::service::wire::objects;
use crate::service::wire::request::required;

pub(super) async fn create(
    service: &Administration,
    request: proto::CreateAppRequest,
) -> Result<proto::CreateAppResponse, NodeError> {
    let write = Write::new("CreateApp", request.owner_uin, &request.options, &request)?;
    let proto::CreateAppRequest { owner_uin: _, sdkappid, name, tags, options: _ } = request;
    let sdkappid = required("sdkappid", sdkappid)?;
    let command = Command::CreateApp(CreateApp { sdkappid, name, tags });
    let answer = |it: &Made<'_>| {
        let app = Some(objects::app(made(it.state.apps.get(&sdkappid))?));
        Ok(proto::CreateAppResponse { app, result: None })
    };
    service.command(write, command, answer).await
}

pub(super) async fn get(
    service: &Administration,
    request: proto::GetAppRequest,
) -> Result<proto::GetAppResponse, NodeError> {
    let proto::GetAppRequest { owner_uin, sdkappid, consistency } = request;
    let Look { view, revision } = service.look(owner_uin, consistency).await?;
    let app = view.state.apps.get(&required("sdkappid", sdkappid)?);
    let app = app.ok_or_else(|| not_found("app", sdkappid, owner_uin))?;
    Ok(proto::GetAppResponse { app: Some(objects::app(app)), revision })
}

pub(super) async fn list(
    service: &Administration,
    request: proto::ListAppsRequest,
) -> Result<proto::ListAppsResponse, NodeError> {
    let proto::ListAppsRequest { owner_uin, consistency, page } = request;
    let page = Page::read(page, &format!("apps {owner_uin}"))?;
    let Look { view, revision } = service.look(owner_uin, consistency).await?;
    let (found, next_page_token) = page.cut(view.state.apps.values(), |it| it.sdkappid)?;
    let apps = found.into_iter().map(|it| objects::app(it)).collect();
    Ok(proto::ListAppsResponse { apps, next_page_token, revision })
}

pub(super) async fn update(
    service: &Administration,
    request: proto::UpdateAppRequest,
) -> Result<proto::UpdateAppResponse, NodeError> {
    let write = Write::new("UpdateApp", request.owner_uin, &request.options, &request)?;
    let proto::UpdateAppRequest { owner_uin: _, sdkappid, name, tags, options: _ } = request;
    let sdkappid = required("sdkappid", sdkappid)?;
    let tags = tags.map(|proto::TagMap { tags }| tags);
    let command = Command::UpdateApp(UpdateApp { sdkappid, name, tags });
    let answer = |it: &Made<'_>| {
        let app = Some(objects::app(made(it.state.apps.get(&sdkappid))?));
        Ok(proto::UpdateAppResponse { app, result: None })
    };
    service.command(write, command, answer).await
}

pub(super) async fn delete(
    service: &Administration,
    request: proto::DeleteAppRequest,
) -> Result<proto::DeleteAppResponse, NodeError> {
    let write = Write::new("DeleteApp", request.owner_uin, &request.options, &request)?;
    let proto::DeleteAppRequest { owner_uin: _, sdkappid, options: _ } = request;
    let sdkappid = required("sdkappid", sdkappid)?;
    let command = Command::DeleteApp(DeleteApp { sdkappid });
    service.command(write, command, |_| Ok(Default::default())).await
}
