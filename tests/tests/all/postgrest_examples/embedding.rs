//! Resource Embedding: relationships of every kind, hints, views, embedded filters, joins that
//! leave rows out, order by what is embedded, and spreads.

use super::{Answer, Example, ask, rows};

pub const EXAMPLES: &[Example] = &[
    // Many-to-one, one-to-many, many-to-many, one-to-one.
    ask(
        "GET films?select=title,directors(id,last_name)&id=in.(1,5)&order=id",
        rows(
            r#"[{"title":"Cléo from 5 to 7","directors":{"id":1,"last_name":"Varda"}},
                {"title":"Home Movie No. 3","directors":null}]"#,
        ),
    ),
    ask(
        "GET films?select=title,director:directors(id,last_name)&id=eq.4",
        rows(r#"[{"title":"We Need to Talk About Kevin","director":{"id":3,"last_name":"Ramsay"}}]"#),
    ),
    ask(
        "GET directors?select=last_name,films(title)&order=id&films.order=id",
        rows(
            r#"[{"last_name":"Varda","films":[{"title":"Cléo from 5 to 7"},{"title":"Vagabond"}]},
                {"last_name":"Kurosawa","films":[{"title":"Seven Samurai"},{"title":"Rashomon"}]},
                {"last_name":"Ramsay","films":[{"title":"We Need to Talk About Kevin"}]},
                {"last_name":"Vigo","films":[]}]"#,
        ),
    ),
    ask(
        "GET actors?select=first_name,last_name,films(title)&id=in.(1,2)&order=id&films.order=year",
        rows(
            r#"[{"first_name":"Tilda","last_name":"Swinton","films":[{"title":"We Need to Talk About Kevin"}]},
                {"first_name":"Toshirō","last_name":"Mifune","films":[{"title":"Rashomon"},{"title":"Seven Samurai"}]}]"#,
        ),
    ),
    ask(
        "GET films?select=title,technical_specs(camera,runtime)&id=in.(2,3)&order=id",
        rows(
            r#"[{"title":"Seven Samurai","technical_specs":{"camera":"Mitchell NC","runtime":"03:27:00"}},
                {"title":"Rashomon","technical_specs":null}]"#,
        ),
    ),
    // Several foreign keys between two tables.
    ask(
        "GET orders?select=*,addresses(*)",
        Answer::Error(
            300,
            r#"{"code":"PGRST201",
                "message":"Could not embed because more than one relationship was found for 'orders' and 'addresses'",
                "details":[
                    {"cardinality":"many-to-one","embedding":"orders with addresses","relationship":"billing using orders(billing_address_id) and addresses(id)"},
                    {"cardinality":"many-to-one","embedding":"orders with addresses","relationship":"shipping using orders(shipping_address_id) and addresses(id)"}],
                "hint":"Try changing 'addresses' to one of the following: 'addresses!billing', 'addresses!shipping'. Find the desired relationship in the 'details' key."}"#,
        ),
    ),
    ask(
        "GET orders?select=name,billing_address:addresses!billing(name),shipping_address:addresses!shipping(name)&id=eq.1",
        rows(r#"[{"name":"Kettle","billing_address":{"name":"12 Harbour Lane"},"shipping_address":{"name":"3 Mill Road"}}]"#),
    ),
    ask(
        "GET addresses?select=name,billing_orders:orders!billing(name),shipping_orders:orders!shipping(name)&id=eq.1&billing_orders.order=id",
        rows(
            r#"[{"name":"12 Harbour Lane","billing_orders":[{"name":"Kettle"},{"name":"Lamp"}],"shipping_orders":[{"name":"Lamp"}]}]"#,
        ),
    ),
    // A table within itself.
    ask(
        "GET keepers?select=last_name,predecessor:predecessor_id(last_name),successor:keepers!predecessor_id(last_name)&id=eq.2",
        rows(r#"[{"last_name":"Brandt","predecessor":{"last_name":"Alm"},"successor":{"last_name":"Cox"}}]"#),
    ),
    ask(
        "GET employees?select=last_name,supervisees:employees!supervisor_id(last_name)&id=eq.1&supervisees.order=id",
        rows(r#"[{"last_name":"Thorne","supervisees":[{"last_name":"Jansen"},{"last_name":"Mbeki"}]}]"#),
    ),
    ask(
        "GET employees?select=last_name,supervisor:supervisor_id(last_name)&id=eq.3",
        rows(r#"[{"last_name":"Mbeki","supervisor":{"last_name":"Thorne"}}]"#),
    ),
    ask(
        "GET users?select=username,subscribers:subscriptions!subscribed(...users!subscriber(username)),\
         following:subscriptions!subscriber(...users!subscribed(username))&id=eq.3&subscribers.order=subscriber_id",
        rows(r#"[{"username":"cyd","subscribers":[{"username":"ada"},{"username":"bea"}],"following":[{"username":"bea"}]}]"#),
    ),
    // Views, and views of views.
    ask(
        "GET french_films?select=title,directors(last_name),roles(character)&order=id",
        rows(
            r#"[{"title":"Cléo from 5 to 7","directors":{"last_name":"Varda"},"roles":[{"character":"Cléo"}]},
                {"title":"Vagabond","directors":{"last_name":"Varda"},"roles":[{"character":"Mona"}]}]"#,
        ),
    ),
    ask(
        "GET old_french_films?select=title,directors(last_name)",
        rows(r#"[{"title":"Cléo from 5 to 7","directors":{"last_name":"Varda"}}]"#),
    ),
    ask(
        "GET nominations_view?select=film_title,films(language),roles(character),actors(last_name,first_name)&rank=eq.5&order=film_id",
        rows(
            r#"[{"film_title":"Cléo from 5 to 7","films":{"language":"french"},"roles":[{"character":"Cléo"}],"actors":[{"last_name":"Marchand","first_name":"Corinne"}]},
                {"film_title":"We Need to Talk About Kevin","films":{"language":"english"},"roles":[{"character":"Eva"}],"actors":[{"last_name":"Swinton","first_name":"Tilda"}]}]"#,
        ),
    ),
    // Nested.
    ask(
        "GET actors?select=roles(character,films(title,year))&id=eq.4&roles.order=film_id",
        rows(
            r#"[{"roles":[{"character":"Kambei","films":{"title":"Seven Samurai","year":1954}},
                {"character":"Woodcutter","films":{"title":"Rashomon","year":1950}}]}]"#,
        ),
    ),
    // Embedded filters, order, limits.
    ask(
        "GET films?select=id,actors(last_name)&id=in.(2,3)&order=id&actors.order=last_name,first_name",
        rows(
            r#"[{"id":2,"actors":[{"last_name":"Mifune"},{"last_name":"Shimura"}]},
                {"id":3,"actors":[{"last_name":"Kyō"},{"last_name":"Mifune"},{"last_name":"Shimura"}]}]"#,
        ),
    ),
    ask(
        "GET films?select=id,roles(character)&id=lt.4&order=id&roles.character=in.(Kambei,Masako)",
        rows(r#"[{"id":1,"roles":[]},{"id":2,"roles":[{"character":"Kambei"}]},{"id":3,"roles":[{"character":"Masako"}]}]"#),
    ),
    ask(
        "GET films?select=id,roles(character)&id=in.(1,3)&order=id&roles.or=(character.eq.Masako,character.eq.Cléo)",
        rows(r#"[{"id":1,"roles":[{"character":"Cléo"}]},{"id":3,"roles":[{"character":"Masako"}]}]"#),
    ),
    ask(
        "GET films?select=id,actors(last_name)&id=in.(1,3)&order=id&actors.order=last_name&actors.limit=10&actors.offset=1",
        rows(r#"[{"id":1,"actors":[]},{"id":3,"actors":[{"last_name":"Mifune"},{"last_name":"Shimura"}]}]"#),
    ),
    ask(
        "GET films?select=id,62_comps:competitions(name),51_comps:competitions(name)&id=in.(1,3)&order=id&62_comps.year=eq.1962&51_comps.year=eq.1951",
        rows(r#"[{"id":1,"62_comps":[{"name":"Cannes"}],"51_comps":[]},{"id":3,"62_comps":[],"51_comps":[{"name":"Venice"}]}]"#),
    ),
    ask(
        "GET films?select=id,roles(character,actors(first_name))&id=eq.3&roles.order=actor_id&roles.actors.first_name=like.*T*",
        rows(
            r#"[{"id":3,"roles":[{"character":"Tajōmaru","actors":{"first_name":"Toshirō"}},
                {"character":"Woodcutter","actors":{"first_name":"Takashi"}},
                {"character":"Masako","actors":null}]}]"#,
        ),
    ),
    // Top-level filtering.
    ask(
        "GET films?select=title,actors(first_name)&id=in.(4,5)&order=id&actors.first_name=eq.Tilda",
        rows(
            r#"[{"title":"We Need to Talk About Kevin","actors":[{"first_name":"Tilda"}]},
                {"title":"Home Movie No. 3","actors":[]}]"#,
        ),
    ),
    ask(
        "GET films?select=title,actors!inner(first_name)&actors.first_name=eq.Tilda",
        rows(r#"[{"title":"We Need to Talk About Kevin","actors":[{"first_name":"Tilda"}]}]"#),
    ),
    ask(
        "GET films?select=title,directors!inner(last_name)&directors.last_name=eq.Kurosawa&order=year",
        rows(
            r#"[{"title":"Rashomon","directors":{"last_name":"Kurosawa"}},{"title":"Seven Samurai","directors":{"last_name":"Kurosawa"}}]"#,
        ),
    ),
    // Null filters on embeds.
    ask("GET films?select=id,actors()&actors=not.is.null&order=id", rows(r#"[{"id":1},{"id":2},{"id":3},{"id":4},{"id":6}]"#)),
    ask("GET films?select=title,nominations()&nominations=is.null", rows(r#"[{"title":"Home Movie No. 3"}]"#)),
    ask(
        "GET films?select=title,actors(last_name),directors(last_name)&or=(actors.is.null,directors.is.null)",
        rows(r#"[{"title":"Home Movie No. 3","actors":[],"directors":null}]"#),
    ),
    ask(
        "GET films?select=title,actors(),directors()&directors.first_name=eq.Lynne&actors.first_name=eq.Corinne\
         &or=(directors.not.is.null,actors.not.is.null)&order=id",
        rows(r#"[{"title":"Cléo from 5 to 7"},{"title":"We Need to Talk About Kevin"}]"#),
    ),
    ask("GET films?select=title,actors()&actors.first_name=eq.Sandrine&actors=not.is.null", rows(r#"[{"title":"Vagabond"}]"#)),
    // Filtered by empty embeds under aliases, shown by others.
    ask(
        "GET films?select=id,act:actors(),dir:directors(),actors(first_name),directors(first_name)&dir.first_name=eq.Lynne\
         &act.first_name=eq.Corinne&or=(dir.not.is.null,act.not.is.null)&order=id",
        rows(
            r#"[{"id":1,"actors":[{"first_name":"Corinne"}],"directors":{"first_name":"Agnès"}},
                {"id":4,"actors":[{"first_name":"Tilda"}],"directors":{"first_name":"Lynne"}}]"#,
        ),
    ),
    // Order by a to-one embed.
    ask(
        "GET films?select=id,directors(last_name)&order=directors(last_name).desc.nullslast,id",
        rows(
            r#"[{"id":1,"directors":{"last_name":"Varda"}},{"id":6,"directors":{"last_name":"Varda"}},
                {"id":4,"directors":{"last_name":"Ramsay"}},
                {"id":2,"directors":{"last_name":"Kurosawa"}},{"id":3,"directors":{"last_name":"Kurosawa"}},
                {"id":5,"directors":null}]"#,
        ),
    ),
    // Spreads: to one, in an embed, to many.
    ask(
        "GET films?select=title,...directors(director_last_name:last_name)&title=like.*Samurai*",
        rows(r#"[{"title":"Seven Samurai","director_last_name":"Kurosawa"}]"#),
    ),
    ask(
        "GET films?select=title,actors:roles(character,...actors(first_name,last_name))&title=like.*Samurai*&actors.order=actor_id",
        rows(
            r#"[{"title":"Seven Samurai","actors":[
                {"character":"Kikuchiyo","first_name":"Toshirō","last_name":"Mifune"},
                {"character":"Kambei","first_name":"Takashi","last_name":"Shimura"}]}]"#,
        ),
    ),
    ask(
        "GET directors?select=last_name,...films(film_titles:title,film_years:year)&id=in.(2,4)&order=id&films.order=year",
        rows(
            r#"[{"last_name":"Kurosawa","film_titles":["Rashomon","Seven Samurai"],"film_years":[1950,1954]},
                {"last_name":"Vigo","film_titles":[],"film_years":[]}]"#,
        ),
    ),
    // Embeds of what was written.
    ask(
        "POST films?select=title,year,director:directors(first_name,last_name)",
        Answer::Json(201, r#"[{"title":"Ratcatcher","year":1999,"director":{"first_name":"Lynne","last_name":"Ramsay"}}]"#),
    )
    .with(&[("prefer", "return=representation")])
    .send(r#"{"id":100,"director_id":3,"title":"Ratcatcher","year":1999,"rating":7.5,"language":"english"}"#),
    ask(
        "PATCH films?id=eq.100&select=rating,directors(films(id))&directors.films.order=id",
        rows(r#"[{"rating":7.4,"directors":{"films":[{"id":4},{"id":100}]}}]"#),
    )
    .with(&[("prefer", "return=representation")])
    .send(r#"{"rating":7.4}"#),
    ask(
        "DELETE films?id=eq.100&select=title,directors(last_name)",
        rows(r#"[{"title":"Ratcatcher","directors":{"last_name":"Ramsay"}}]"#),
    )
    .with(&[("prefer", "return=representation")]),
];
