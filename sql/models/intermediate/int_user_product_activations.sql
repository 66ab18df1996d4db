-- Grain: one row per user and product family with a row in the current activation report: activations on PCs and Macs.
with patterns as (
  select
    priority,
    product_family,
    replace(replace(replace(replace(lower(pattern), '!', '!!'), '_', '!_'), '%', '!%'), '*', '%') as like_pattern
  from {{ ref('product_family_activations') }}
),

current_rows as (
  select
    r.tenant_id,
    r.upn_key,
    coalesce(r.product_type, '') as product_type,
    r.desktop_activations,
    r.is_shared_computer,
    r.last_activated_date
  from {{ ref('stg_report_activations') }} as r
  join {{ ref('int_coverage') }} as c on c.tenant_id = r.tenant_id and c.logical_date = r.report_refresh_date
  where c.table_name = 'report_office365_activations_user_detail' and c.is_measured
),

product_types as (
  select distinct product_type from current_rows
),

named as (
  select t.product_type, min_by(coalesce(p.product_family, ''), p.priority) as product_family
  from product_types as t
  join patterns as p on lower(t.product_type) like p.like_pattern escape '!'
  group by 1
)

select
  u.tenant_id,
  u.user_id,
  n.product_family,
  cast(sum(r.desktop_activations) as bigint) as desktop_activations,
  -- How many of the activations were on shared computers the report does not say.
  bool_or(r.is_shared_computer) as is_shared_computer,
  max(case when r.desktop_activations > 0 then r.last_activated_date end) as last_activated_date
from current_rows as r
join named as n on n.product_type = r.product_type and n.product_family <> ''
join {{ ref('int_users') }} as u on u.tenant_id = r.tenant_id and u.upn_key = r.upn_key
group by 1, 2, 3
