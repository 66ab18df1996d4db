-- Grain: one row per user to whom a rule offers a licence without some kind of desktop application, and that kind: whether it is
-- activated, and whether desktop apps were used. What was not measured is null.
with tenants as (
  select
    tenant_id,
    bool_or(table_name = 'report_office365_activations_user_detail' and is_measured and state = 'complete') as has_activations
  from {{ ref('int_coverage') }}
  group by 1
),

patterns as (
  select
    priority,
    measure,
    replace(replace(replace(replace(lower(pattern), '!', '!!'), '_', '!_'), '%', '!%'), '*', '%') as like_pattern
  from {{ ref('activation_products') }}
),

asked as (
  select distinct h.tenant_id, h.user_id, p.unused as measure
  from {{ ref('int_downgrade_plans') }} as p
  join {{ ref('int_user_variants') }} as h on h.variant = p.variant
  where p.unused like '%desktop'
),

rows_of_today as (
  select r.tenant_id, r.upn_key, coalesce(r.product_type, '') as product_type, r.desktop_activations
  from {{ ref('stg_report_activations') }} as r
  join {{ ref('int_coverage') }} as c on c.tenant_id = r.tenant_id and c.logical_date = r.report_refresh_date
  where c.table_name = 'report_office365_activations_user_detail' and c.is_measured
),

products as (
  select distinct product_type from rows_of_today
),

named as (
  select p.product_type, min_by(coalesce(k.measure, '-'), k.priority) as measure
  from products as p
  join patterns as k on lower(p.product_type) like k.like_pattern escape '!'
  group by 1
),

activated as (
  select r.tenant_id, r.upn_key, n.measure, cast(sum(r.desktop_activations) as bigint) as activations
  from rows_of_today as r
  join named as n on n.product_type = r.product_type
  group by 1, 2, 3
)

select
  k.tenant_id,
  k.user_id,
  k.measure,
  case when a.activations > 0 then a.activations when t.has_activations then coalesce(a.activations, 0) end as activations,
  case when k.measure = 'office_desktop' then g.uses_windows or g.uses_mac else false end as is_used
from asked as k
join {{ ref('int_users') }} as u on u.tenant_id = k.tenant_id and u.user_id = k.user_id
join tenants as t on t.tenant_id = u.tenant_id
join {{ ref('int_user_usage') }} as g on g.tenant_id = u.tenant_id and g.user_id = u.user_id
left join activated as a on a.tenant_id = u.tenant_id and a.upn_key = u.upn_key and a.measure = k.measure
