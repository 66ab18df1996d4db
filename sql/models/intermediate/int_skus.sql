-- Grain: one row per tenant and SKU that is subscribed or assigned: its names, its class, and whether it is managed.
-- The only place that applies the class rules and the include and exclude list.
with subscribed as (
  select k.*
  from {{ ref('stg_subscribed_skus') }} as k
  join {{ ref('int_coverage') }} as c on c.tenant_id = k.tenant_id and c.logical_date = k.snapshot_date
  where c.table_name = 'graph_subscribed_skus' and c.is_measured
),

known as (
  select tenant_id, sku_id from subscribed
  union
  select tenant_id, sku_id from {{ ref('int_user_licenses') }}
),

named as (
  select
    k.tenant_id,
    k.sku_id,
    coalesce(s.sku_part_number, c.sku_part_number) as sku_part_number,
    coalesce(c.product_name, s.sku_part_number, k.sku_id) as product_name,
    s.sku_id is not null as is_subscribed,
    s.snapshot_date,
    s.applies_to,
    s.capability_status,
    s.enabled_units,
    s.warning_units,
    s.suspended_units,
    s.locked_out_units,
    s.consumed_units
  from known as k
  left join subscribed as s on s.tenant_id = k.tenant_id and s.sku_id = k.sku_id
  left join {{ ref('stg_catalog_skus') }} as c on c.sku_id = k.sku_id
),

-- Patterns know one wildcard, the star; LIKE's own two are escaped.
class_rules as (
  select
    priority,
    field,
    license_class,
    replace(replace(replace(replace(lower(pattern), '!', '!!'), '_', '!_'), '%', '!%'), '*', '%') as like_pattern
  from {{ ref('license_class_rules') }}
),

matched_rules as (
  select n.tenant_id, n.sku_id, min_by(r.license_class, r.priority) as license_class
  from named as n
  cross join class_rules as r
  where lower(case r.field when 'applies_to' then n.applies_to else n.sku_part_number end) like r.like_pattern escape '!'
  group by 1, 2
),

classed as (
  select n.*, coalesce(c.license_class, r.license_class, 'paid') as license_class
  from named as n
  left join {{ ref('license_classes') }} as c on lower(c.sku_id) = n.sku_id
  left join matched_rules as r on r.tenant_id = n.tenant_id and r.sku_id = n.sku_id
),

managed_rules as (
  select
    kind,
    pattern,
    replace(replace(replace(replace(lower(trim(pattern)), '!', '!!'), '_', '!_'), '%', '!%'), '*', '%') as like_pattern
  from {{ ref('managed_sku_rules') }}
),

matched as (
  select
    n.tenant_id,
    n.sku_id,
    bool_or(r.kind = 'include') as is_included,
    min(case when r.kind = 'exclude' then r.pattern end) as excluded_by
  from classed as n
  cross join managed_rules as r
  where n.sku_id like r.like_pattern escape '!'
    or lower(n.sku_part_number) like r.like_pattern escape '!'
    or 'class:' || n.license_class like r.like_pattern escape '!'
  group by 1, 2
)

select
  c.*,
  coalesce(m.is_included, false) and m.excluded_by is null as is_managed,
  case
    when m.excluded_by is not null then 'exclude ' || m.excluded_by
    when not coalesce(m.is_included, false) then 'not included'
  end as unmanaged_reason
from classed as c
left join matched as m on m.tenant_id = c.tenant_id and m.sku_id = c.sku_id
