-- Grain: one row per tenant, rule, SKU and currency: what is worth a look, with the query that lists its rows.
-- Candidates, redundant licences and unassigned units are apart, so that their savings of one currency may be added up. A smaller
-- licence or a cheaper suite is a choice beside them.
with candidates as (
  select
    tenant_id,
    sku_id,
    product_name,
    case
      when blocked_by is null then 'reclaim_candidates'
      when blocked_by = 'group_assigned' then 'group_candidates'
      else 'unproven_candidates'
    end as rule,
    reason,
    annual_saving,
    currency,
    is_estimate
  from {{ ref('reclaim_candidates') }}
  where license_class = 'paid' and reasons not like '%duplicate_entitlement%' and (blocked_by is null or blocked_by in ('group_assigned', 'partial_evidence', 'partial_evidence,group_assigned'))
),

-- What is idle by a part of the evidence only may be in use, so that nobody knows what it would save.
taken_back as (
  select
    tenant_id,
    sku_id,
    product_name,
    rule,
    count(*) as units,
    count_if(reason in ('never_signed_in', 'inactive')) as idle,
    count_if(reason in ('hr_inactive', 'absent_from_hr', 'blocked_sign_in')) as gone,
    case when rule <> 'unproven_candidates' then sum(annual_saving) end as annual_amount,
    case when rule <> 'unproven_candidates' then max(currency) end as currency,
    rule <> 'unproven_candidates' and bool_or(is_estimate) as is_estimate
  from candidates
  group by 1, 2, 3, 4
),

found as (
  select 'unassigned_units' as rule, 'saving' as kind, tenant_id, sku_id, available_units as units
  from {{ ref('license_positions') }}
  union all
  select 'over_assigned', 'exposure', tenant_id, sku_id, -available_units
  from {{ ref('license_positions') }}
  union all
  select 'units_in_grace', 'exposure', tenant_id, sku_id, warning_units
  from {{ ref('license_positions') }}
),

-- What n units of a SKU cost a year.
priced as (
  select
    f.rule,
    f.kind,
    f.tenant_id,
    f.sku_id,
    f.units,
    p.product_name,
    c.currency,
    c.price_basis,
    case
      when c.rest_cents = 0 then f.units * c.unit_cents
      else f.units * c.unit_cents + cast(round((2 * f.units * c.rest_cents + c.purchased_units
        - (2 * f.units * c.rest_cents + c.purchased_units) % (2 * c.purchased_units)) / (2 * c.purchased_units)) as bigint)
    end as cents
  from found as f
  join {{ ref('license_positions') }} as p on p.tenant_id = f.tenant_id and p.sku_id = f.sku_id
  join {{ ref('int_license_costs') }} as c on c.tenant_id = f.tenant_id and c.sku_id = f.sku_id
  where f.units > 0 and p.applies_to = 'User'
),

said as (
  select
    rule,
    kind,
    tenant_id,
    sku_id,
    product_name,
    units,
    cents,
    currency,
    price_basis = 'list_price' as is_estimate,
    product_name || ': ' || case rule
      when 'unassigned_units' then cast(units as varchar) || ' units are bought and assigned to nobody'
      when 'over_assigned' then cast(units as varchar) || ' units more are assigned than bought'
      else cast(units as varchar) || ' units have expired and are in their grace period'
    end as finding,
    'select * from license_positions where tenant_id = ''' || tenant_id || ''' and sku_id = ''' || sku_id || '''' as query
  from priced
  union all
  select
    rule,
    'saving',
    tenant_id,
    sku_id,
    product_name,
    units,
    cast(annual_amount * 100 as bigint),
    currency,
    is_estimate,
    product_name || ': ' || cast(units as varchar) || case rule
      when 'reclaim_candidates' then ' units can be taken back ('
      when 'group_candidates' then ' units can be taken back by changing the groups that assign them ('
      else ' units look idle, but their use was not wholly measured ('
    end
      || substr(
        case when gone > 0 then ', ' || cast(gone as varchar) || ' of people who left or are blocked' else '' end
        || case when idle > 0 then ', ' || cast(idle as varchar) || ' idle' else '' end
        || case when units > gone + idle then ', ' || cast(units - gone - idle as varchar) || ' for other reasons' else '' end,
        3
      ) || ')',
    'select * from reclaim_candidates where tenant_id = ''' || tenant_id || ''' and sku_id = ''' || sku_id || case rule
      when 'reclaim_candidates' then ''' and blocked_by is null'
      when 'group_candidates' then ''' and blocked_by = ''group_assigned'''
      else ''' and blocked_by in (''partial_evidence'', ''partial_evidence,group_assigned'')'
    end || ' and reasons not like ''%duplicate_entitlement%'''
  from taken_back
  union all
  select
    'term_without_sku',
    'exposure',
    tenant_id,
    cast(null as varchar),
    product_name,
    quantity,
    annual_cents,
    currency,
    false,
    product_name || ': ' || cast(quantity as varchar) || ' units are paid for by line ' || cast(line as varchar)
      || ' of the licence terms, and the tenant has no such SKU',
    'select * from license_costs where tenant_id = ''' || tenant_id || ''' and line = ' || cast(line as varchar)
  from {{ ref('int_license_terms') }}
  where term_status = 'in_force' and sku_id is null
  union all
  select
    'no_current_term',
    'exposure',
    c.tenant_id,
    c.sku_id,
    p.product_name,
    p.entitled_units,
    cast(null as bigint),
    cast(null as varchar),
    false,
    p.product_name || ': none of its licence terms is in force, so what its ' || cast(p.entitled_units as varchar) || ' units cost is not known',
    'select * from license_costs where tenant_id = ''' || c.tenant_id || ''' and sku_id = ''' || c.sku_id || ''''
  from {{ ref('int_license_costs') }} as c
  join {{ ref('license_positions') }} as p on p.tenant_id = c.tenant_id and p.sku_id = c.sku_id
  where c.price_basis = 'no_current_term' and p.entitled_units > 0
  union all
  select rule, kind, tenant_id, sku_id, product_name, units, cents, currency, is_estimate, finding, query
  from {{ ref('int_right_sizing_findings') }}
)

select
  s.tenant_id,
  cast(row_number() over (
    partition by s.tenant_id
    order by case when s.cents is null then 1 else 0 end, s.cents desc, s.units desc, s.finding, s.currency
  ) as integer) as rank,
  s.rule,
  s.kind,
  s.sku_id,
  s.product_name,
  cast(s.units as integer) as units,
  cast(cast(s.cents as decimal(18, 0)) * 0.01 as decimal(18, 2)) as annual_amount,
  s.currency,
  s.is_estimate,
  s.finding,
  s.query
from said as s
