//! The ways to say who one is.

use utoipa::openapi::security::{
    Flow, HttpAuthScheme, HttpBuilder, OAuth2, Password, Scopes, SecurityRequirement,
    SecurityScheme,
};

use crate::route::{Access, RouteInfo};

/// The schemes. They are shown by their names, so that the one for people comes first.
pub(super) fn schemes() -> [(&'static str, SecurityScheme); 3] {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("An access token from `/auth/token`."));
    let basic = HttpBuilder::new()
        .scheme(HttpAuthScheme::Basic)
        .description(Some(
            "The user's id and API key; at the root and the documentation also name and password.",
        ));
    let flow = Flow::Password(Password::with_refresh_url(
        "/auth/token",
        Scopes::new(),
        "/auth/token",
    ));
    let password = OAuth2::with_description(
        [flow],
        "User name (or e-mail address) and password, exchanged for an access token. \
         Leave the client's id and secret empty.",
    );
    [
        ("account", SecurityScheme::OAuth2(password)),
        ("bearer", SecurityScheme::Http(bearer.build())),
        ("basic", SecurityScheme::Http(basic.build())),
    ]
}

/// Any of the schemes, or none for a route of everybody. Where credentials are looked at but not
/// needed, none is one of the choices.
pub(super) fn requirements(route: &RouteInfo) -> Vec<SecurityRequirement> {
    let any = ["account", "bearer", "basic"]
        .map(|name| SecurityRequirement::new(name, [] as [&str; 0]))
        .into_iter();
    match route.access {
        Access::Public if route.looks => any.chain([SecurityRequirement::default()]).collect(),
        Access::Public => Vec::new(),
        _ => any.collect(),
    }
}
