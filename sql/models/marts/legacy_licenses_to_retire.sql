-- Grain: one row per tenant and licence of the list that older integrations left in the ITAM tool: what to do with it.
with tenants as (
  select s.tenant_id, coalesce(s.logical_date, s.newest_run_date) as as_of_date, l.logical_date, s.is_measured
  from {{ ref('int_coverage') }} as s
  join {{ ref('int_coverage') }} as l on l.tenant_id = s.tenant_id and l.run_id = s.run_id
  where s.table_name = 'graph_subscribed_skus' and l.table_name = 'legacy_licenses' and l.is_measured
),

listed as (
  select l.*, t.as_of_date, t.is_measured
  from {{ ref('stg_legacy_licenses') }} as l
  join tenants as t on t.tenant_id = l.tenant_id and t.logical_date = l.snapshot_date
),

rules as (
  select
    priority,
    field,
    integration,
    service,
    replace(replace(replace(replace(lower(pattern), '!', '!!'), '_', '!_'), '%', '!%'), '*', '%') as like_pattern
  from {{ ref('legacy_license_rules') }}
),

-- The integration that the list names decides; the licence's name does where it names none.
ruled as (
  select l.tenant_id, l.line, min(r.priority) as priority
  from listed as l
  cross join rules as r
  where (r.field = 'integration' and lower(l.integration) like r.like_pattern escape '!')
    or (r.field = 'name' and l.integration is null and lower(l.name) like r.like_pattern escape '!')
  group by 1, 2
),

managed as (
  select
    p.tenant_id,
    p.sku_id,
    lower(p.sku_part_number) as part_key,
    p.product_name,
    s.service
  from {{ ref('license_positions') }} as p
  left join {{ ref('stg_catalog_services') }} as s on s.sku_id = p.sku_id
  where p.license_class = 'paid'
),

replacing as (
  select
    l.tenant_id,
    l.line,
    array_join(array_agg(distinct m.product_name order by m.product_name), ', ') as replaced_by
  from listed as l
  join ruled as d on d.tenant_id = l.tenant_id and d.line = l.line
  join rules as r on r.priority = d.priority
  join managed as m on m.tenant_id = l.tenant_id
  where (l.sku is not null and l.sku_key in (m.sku_id, m.part_key))
    or (l.sku is null and (r.service is null or m.service = r.service))
  group by 1, 2
)

select
  l.tenant_id,
  l.as_of_date,
  l.line,
  l.license_id,
  l.name,
  l.integration as listed_integration,
  r.integration,
  l.sku,
  l.status,
  l.quantity,
  l.purchases,
  p.replaced_by,
  case
    when lower(trim(l.status)) = 'retired' then 'already_retired'
    when r.integration is null then 'keep'
    when p.replaced_by is null then 'review'
    else 'retire'
  end as action,
  case
    when lower(trim(l.status)) = 'retired' then 'it is retired already'
    when r.integration is null then 'no rule says that an older integration made it'
    when not l.is_measured then 'what the tenant has now could not be read'
    when p.replaced_by is null then 'no managed paid licence of the tenant stands in its place'
    else 'the tenant''s own licences stand in its place; together they would be counted twice'
  end || case
    when l.purchases is not null and lower(trim(coalesce(l.status, ''))) <> 'retired' and p.replaced_by is not null
      then '. Link its purchases to them, or they are left unprocessed'
    else ''
  end as why
from listed as l
left join ruled as d on d.tenant_id = l.tenant_id and d.line = l.line
left join rules as r on r.priority = d.priority
left join replacing as p on p.tenant_id = l.tenant_id and p.line = l.line
