//! Finds the route of a request, before anything else of it is looked at: versions, limits and
//! challenges depend on it.
//!
//! A path is compared segment by segment with the patterns of the table, in the order of matching.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use actix_web::http::Method;

use crate::error::render::Challenge;
use crate::route::{RouteInfo, RouteSpec};

/// The table, by first path segment, then in the order of matching.
pub struct RouteIndex {
    entries: Vec<Entry>,
    by_segment: HashMap<String, Vec<usize>>,
    // Those that begin with a parameter.
    others: Vec<usize>,
}

/// One path with its methods.
pub struct Entry {
    pattern: Pattern,
    routes: Vec<Arc<RouteInfo>>,
}

/// The parameters of a path, by name.
pub type Parameters = Vec<(&'static str, String)>;

impl Entry {
    /// The methods of the path, with what is known of them.
    pub fn routes(&self) -> &[Arc<RouteInfo>] {
        &self.routes
    }

    /// Which of them answers a method; `HEAD` falls back on `GET`.
    pub fn position(&self, method: &Method) -> Option<usize> {
        let of = |method: &Method| self.routes.iter().position(|it| it.method == *method);
        of(method)
            .or_else(|| {
                if method == Method::HEAD {
                    of(&Method::GET)
                } else {
                    None
                }
            })
            .or_else(|| self.routes.iter().position(|route| route.any_method))
    }

    /// The route of a method.
    pub fn route(&self, method: &Method) -> Option<&Arc<RouteInfo>> {
        self.routes.get(self.position(method)?)
    }

    /// Whether `X-Version` is looked at for a method; for one that the path does not
    /// answer it is, if it is for any other.
    pub fn versioned(&self, method: &Method) -> bool {
        match self.route(method) {
            Some(route) => route.versioned,
            None => self.routes.iter().any(|route| route.versioned),
        }
    }

    /// The scheme that a 401 on this path asks for.
    pub fn challenge(&self) -> Challenge {
        self.routes
            .first()
            .map_or_else(Challenge::default, |route| route.challenge)
    }
}

impl RouteIndex {
    /// The index of a sorted table.
    ///
    /// # Errors
    /// A path whose pattern is none.
    pub fn new(routes: &[RouteSpec]) -> io::Result<Self> {
        let mut index = Self {
            entries: Vec::new(),
            by_segment: HashMap::new(),
            others: Vec::new(),
        };
        for group in routes.chunk_by(|a, b| a.info().path == b.info().path) {
            let infos: Vec<_> = group.iter().map(|it| Arc::clone(it.info())).collect();
            let Some(path) = infos.first().map(|info| &info.path) else {
                continue;
            };
            let pattern = Pattern::parse(path)?;
            let places = match pattern.segments.first() {
                Some(Segment::Word(word)) => index.by_segment.entry(word.clone()).or_default(),
                Some(_) => &mut index.others,
                None => index.by_segment.entry(String::new()).or_default(),
            };
            places.push(index.entries.len());
            index.entries.push(Entry {
                pattern,
                routes: infos,
            });
        }
        Ok(index)
    }

    /// All paths, in the order of matching.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The place of a path's entry among all, and what its parameters are.
    pub fn find(&self, path: &str) -> Option<(usize, Parameters)> {
        let rest = path.strip_prefix('/')?;
        let first = rest.split('/').next().unwrap_or_default();
        let by_word = self.by_segment.get(first).map_or(&[][..], Vec::as_slice);
        by_word.iter().chain(&self.others).find_map(|at| {
            let parameters = self.entries.get(*at)?.pattern.parameters(rest)?;
            Some((*at, parameters))
        })
    }
}

/// What a path looks like.
struct Pattern {
    segments: Vec<Segment>,
    // The path that is given as it stands ends with a slash.
    slash: bool,
}

/// What a segment of a path may be.
enum Segment {
    /// This word.
    Word(String),
    /// Anything but nothing.
    Parameter(&'static str),
    /// All that is left of the path, which may be nothing.
    Tail(&'static str),
}

impl Pattern {
    fn parse(path: &str) -> io::Result<Self> {
        let fault = || io::Error::other(format!("`{path}` is no pattern of a path"));
        let rest = path.strip_prefix('/').ok_or_else(fault)?;
        let (rest, slash) = match rest.strip_suffix('/') {
            Some(rest) if !rest.is_empty() => (rest, true),
            _ => (rest, false),
        };
        let mut segments = Vec::new();
        for text in rest.split('/').filter(|_| !rest.is_empty()) {
            let parameter = text.strip_prefix('{').and_then(|it| it.strip_suffix('}'));
            let tail = parameter.and_then(|it| it.strip_suffix(":.*"));
            let name = tail.or(parameter).unwrap_or(text);
            let after_tail = matches!(segments.last(), Some(Segment::Tail(_)));
            if name.is_empty() || name.contains(['{', '}', ':']) || after_tail {
                return Err(fault());
            }
            // actix wants names that live as long as the program, and so do routes.
            let name = name.to_owned();
            segments.push(match (tail, parameter) {
                (Some(_), _) => Segment::Tail(name.leak()),
                (None, Some(_)) => Segment::Parameter(name.leak()),
                (None, None) => Segment::Word(name),
            });
        }
        Ok(Self { segments, slash })
    }

    /// The parameters of a path, given without its first slash; `None` for a path that does not
    /// fit. One that has a slash more at the end fits too, without a redirect. Nothing of the path
    /// is rewritten, so encoded slashes and blanks below `/rest/` stay.
    fn parameters(&self, path: &str) -> Option<Parameters> {
        let mut parameters = Vec::new();
        let mut rest = Some(path);
        for segment in &self.segments {
            let path = rest?;
            let (text, after) = match path.split_once('/') {
                Some((text, after)) => (text, Some(after)),
                None => (path, None),
            };
            match segment {
                Segment::Word(word) if word == text => {}
                Segment::Parameter(name) if !text.is_empty() => {
                    parameters.push((*name, text.to_owned()));
                }
                Segment::Tail(name) => {
                    parameters.push((*name, path.to_owned()));
                    return Some(parameters);
                }
                _ => return None,
            }
            rest = after;
        }
        match rest {
            None => !self.slash,
            Some(rest) => rest.is_empty(),
        }
        .then_some(parameters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matched(pattern: &str, path: &str) -> Option<String> {
        let pattern = Pattern::parse(pattern).unwrap();
        let parameters = pattern.parameters(path.strip_prefix('/').unwrap())?;
        let parameters = parameters
            .iter()
            .map(|(name, text)| format!("{name}={text}"));
        Some(parameters.collect::<Vec<_>>().join("&"))
    }

    #[test]
    fn a_path_fits_its_pattern_with_and_without_a_slash_at_the_end() {
        for (pattern, path, expected) in [
            ("/", "/", Some("")),
            ("/", "//", None),
            ("/", "/a", None),
            ("/a", "/a", Some("")),
            ("/a", "/a/", Some("")),
            ("/a", "/a//", None),
            ("/a", "/A", None),
            ("/a", "/ab", None),
            ("/a", "/", None),
            ("/a/", "/a/", Some("")),
            ("/a/", "/a", None),
            ("/a/{id}", "/a/8", Some("id=8")),
            ("/a/{id}", "/a/8/", Some("id=8")),
            ("/a/{id}", "/a/%2F 8", Some("id=%2F 8")),
            ("/a/{id}", "/a/", None),
            ("/a/{id}", "/a//", None),
            ("/a/{id}", "/a/8/b", None),
            ("/a/{id}/b/{other}", "/a/1/b/2", Some("id=1&other=2")),
            ("/a/{id}/b", "/a//b", None),
            ("/in/{rid}/{path:.*}", "/in/x/", Some("rid=x&path=")),
            (
                "/in/{rid}/{path:.*}",
                "/in/x/y//z/",
                Some("rid=x&path=y//z/"),
            ),
            ("/in/{rid}/{path:.*}", "/in/x", None),
            ("/{any}", "/x/", Some("any=x")),
        ] {
            assert_eq!(
                matched(pattern, path).as_deref(),
                expected,
                "{pattern} {path}"
            );
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for path in [
            "",
            "a",
            "//",
            "/a//b",
            "/a{id}",
            "/{id}.json",
            "/{}",
            "/{id",
            r"/{id:\d+}",
            "/{a:.*}/b",
        ] {
            assert!(Pattern::parse(path).is_err(), "{path}");
        }
    }
}
